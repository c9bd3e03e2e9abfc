/** A real S3 store for tests: Ceph with one monitor, one disk in memory and one gateway, on loopback. */
import { join } from "node:path";
import { KeyServer } from "./key_server.ts";
import { CEPH_ROOT } from "./root.ts";
import { eventually } from "../eventually.ts";
import { freePorts } from "../ports.ts";
import { startProgram } from "../program.ts";
import type { Program } from "../program.ts";
import { TempFolder } from "../temp_folder.ts";
import { AUTHORITY, CERTIFICATE, KEY } from "../tls.ts";

const LIBRARIES = join(CEPH_ROOT, "usr/lib/x86_64-linux-gnu");

const START_MS = 180_000;

export interface CephOptions {
  /** Of its buckets. @default the gateway's own, which takes any */
  region?: string;
  /** By `https`, with a certificate of an authority that nobody knows. @default false */
  tls?: boolean;
  /** Beside STANDARD, each with a pool of its own. @default none */
  storageClasses?: readonly string[];
  /** Whether it can encrypt: AES256 with keys of a server, aws:kms with `KMS_KEY`. @default false */
  encrypts?: boolean;
}

/** The only key that aws:kms can be asked for. */
export const KMS_KEY = "archive-key";

/** A store and who may use it. */
export interface Ceph extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  port: number;
  accessKey: string;
  secretKey: string;
  /** Who signed its certificate, as PEM; undefined without TLS. */
  authority: string | undefined;
  /** Runs radosgw-admin; returns what it wrote. */
  admin(...args: readonly string[]): Promise<string>;
  /** Kills the gateway as a crash would, or starts it again. */
  stopGateway(): Promise<void>;
  startGateway(): Promise<void>;
}

/** Starts a cluster of its own, with one user; resolves when it answers. */
export async function startCeph(options: CephOptions = {}): Promise<Ceph> {
  const { region, tls = false, storageClasses = [], encrypts = false } = options;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const [port = 0, monitorPort = 0] = freePorts(2);
  const fsid = crypto.randomUUID();
  const config = await folder.write(
    "ceph.conf",
    configuration({
      ...{ folder: folder.path, fsid, port, monitorPort, tls },
      encryption: encrypts ? await encryption(stack.use(KeyServer.start()), folder) : {},
    }),
  );
  for (const name of ["mon", "osd", "log"]) await Deno.mkdir(folder.join(name));
  const tools = new Tools(config, folder.path);
  await tools.makeKeys();
  const address = `[v2:127.0.0.1:${monitorPort}]`;
  const map = folder.join("monmap");
  await tools.run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, map);
  const keyring = folder.join("keyring");
  await tools.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring);
  stack.use(killed(tools.start("ceph-mon", "-f", "-i", "a")));
  const disk = crypto.randomUUID();
  await tools.ceph("osd", "new", disk);
  await tools.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk);
  stack.use(killed(tools.start("ceph-osd", "-f", "-i", "0")));
  const [accessKey, secretKey] = ["test-access-key", "test-secret-key"];
  const user = ["--uid=test", "--display-name=test"];
  const keys = [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
  await tools.run("radosgw-admin", "user", "create", ...user, ...keys);
  if (region !== undefined) {
    const group = ["--rgw-zonegroup=default", `--api-name=${region}`];
    await tools.run("radosgw-admin", "zonegroup", "modify", ...group);
  }
  for (const name of storageClasses) await addStorageClass(tools, name);
  const endpoint = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  let gateway = killed(await startGateway(tools, port));
  stack.defer(() => gateway[Symbol.asyncDispose]());
  const owned = stack.move();
  return {
    endpoint,
    port,
    accessKey,
    secretKey,
    authority: tls ? await Deno.readTextFile(AUTHORITY) : undefined,
    admin: (...args) => tools.run("radosgw-admin", ...args),
    stopGateway: async () => await gateway[Symbol.asyncDispose](),
    startGateway: async () => void (gateway = killed(await startGateway(tools, port))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function addStorageClass(tools: Tools, name: string) {
  const place = ["--placement-id=default-placement", `--storage-class=${name}`];
  const zone = ["--rgw-zone=default", `--data-pool=default.rgw.${name}.data`];
  await tools.run("radosgw-admin", "zonegroup", "placement", "add", ...place);
  await tools.run("radosgw-admin", "zone", "placement", "add", ...zone, ...place);
}

/** As the gateway is told. Keys of aws:kms are those of its own tests: nothing else is here to ask. */
async function encryption(
  { url }: KeyServer,
  folder: TempFolder,
): Promise<Record<string, string | boolean>> {
  const token = await folder.write("token", "test");
  await Deno.chmod(token, 0o600);
  return {
    rgw_crypt_require_ssl: false,
    rgw_crypt_s3_kms_backend: "testing",
    rgw_crypt_s3_kms_encryption_keys: `${KMS_KEY}=${new Uint8Array(32).fill(7).toBase64()}`,
    rgw_crypt_sse_s3_backend: "vault",
    rgw_crypt_sse_s3_vault_addr: url,
    rgw_crypt_sse_s3_vault_auth: "token",
    rgw_crypt_sse_s3_vault_token_file: token,
    rgw_crypt_sse_s3_vault_prefix: "/v1/transit",
    rgw_crypt_sse_s3_vault_secret_engine: "transit",
  };
}

async function startGateway(tools: Tools, port: number): Promise<Program> {
  const gateway = tools.start("radosgw", "-f", "-n", "client.admin");
  await eventually(async () => {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  }, START_MS);
  return gateway;
}

/** Its data is in memory: nobody has to say goodbye. */
function killed(program: Program): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      program.kill("SIGKILL");
      await program[Symbol.asyncDispose]();
    },
  };
}

/** Ceph's programs, run by the loader and libraries that came with them. */
class Tools {
  private readonly loader = [
    join(LIBRARIES, "ld-linux-x86-64.so.2"),
    ["--library-path", `${LIBRARIES}:${LIBRARIES}/ceph`],
  ] as const;

  constructor(private readonly config: string, private readonly folder: string) {}

  /** @returns what it wrote @throws when it fails */
  async run(name: string, ...args: readonly string[]): Promise<string> {
    return await this.output([join(CEPH_ROOT, "usr/bin", name), ...args], {});
  }

  /** The command line of the cluster, which is a Python program. */
  async ceph(...args: readonly string[]): Promise<string> {
    const home = join(CEPH_ROOT, "usr");
    const python = [...Deno.readDirSync(join(home, "bin"))].map(({ name }) => name)
      .find((name) => /^python3\.\d+$/.test(name));
    const program = [join(home, "bin", python ?? "python3"), join(home, "bin/ceph")];
    return await this.output([...program, "--connect-timeout", "30", ...args], {
      PYTHONHOME: home,
      PYTHONPATH: join(home, "lib/python3/dist-packages"),
    });
  }

  start(name: string, ...args: readonly string[]): Program {
    const [command, libraries] = this.loader;
    return startProgram({
      command,
      args: [...libraries, join(CEPH_ROOT, "usr/bin", name), ...args],
      env: { CEPH_CONF: this.config },
    });
  }

  /** Of the monitor, the disk and whoever administers. */
  async makeKeys() {
    const keyring = join(this.folder, "keyring");
    const key = (name: string, ...more: readonly string[]) =>
      this.run("ceph-authtool", keyring, "--gen-key", "-n", name, "--cap", "mon", ...more);
    await key("mon.", "allow *", "--create-keyring");
    await key("client.admin", "allow *", "--cap", "osd", "allow *");
    await key("osd.0", "allow profile osd", "--cap", "osd", "allow *");
  }

  private async output(args: readonly string[], env: Record<string, string>): Promise<string> {
    const [command, libraries] = this.loader;
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args: [...libraries, ...args],
      env: { CEPH_CONF: this.config, ...env },
      stdin: "null",
      signal: AbortSignal.timeout(START_MS),
    }).output();
    if (!success) throw new Error(`${args.join(" ")}:\n${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
}

interface Settings {
  tls: boolean;
  folder: string;
  fsid: string;
  port: number;
  monitorPort: number;
  encryption: Record<string, string | boolean>;
}

/** One copy of everything, and no waits for more that would make a quorum. */
function configuration(
  { folder, fsid, port, monitorPort, tls, encryption }: Settings,
): string {
  const front = tls
    ? `beast ssl_endpoint=127.0.0.1:${port} ssl_certificate=${CERTIFICATE} ` +
      `ssl_private_key=${KEY}`
    : `beast endpoint=127.0.0.1:${port}`;
  const settings = {
    fsid,
    mon_host: `v2:127.0.0.1:${monitorPort}/0`,
    public_addr: "127.0.0.1",
    cluster_addr: "127.0.0.1",
    keyring: join(folder, "keyring"),
    run_dir: folder,
    crash_dir: join(folder, "log"),
    log_file: join(folder, "log/$name.log"),
    admin_socket: '""',
    plugin_dir: join(LIBRARIES, "ceph"),
    erasure_code_dir: join(LIBRARIES, "ceph/erasure-code"),
    osd_class_dir: join(LIBRARIES, "rados-classes"),
    mon_data: join(folder, "mon"),
    osd_data: join(folder, "osd"),
    osd_objectstore: "memstore",
    osd_pool_default_size: 1,
    osd_pool_default_pg_num: 1,
    osd_pool_default_pg_autoscale_mode: "off",
    osd_crush_chooseleaf_type: 0,
    mon_allow_pool_size_one: true,
    mon_data_avail_crit: 0,
    paxos_propose_interval: 0.05,
    paxos_min_wait: 0.02,
    osd_memory_target: 939_524_096,
    memstore_device_bytes: 4_294_967_296,
    rgw_frontends: front,
    rgw_thread_pool_size: 32,
    ...encryption,
  };
  return ["[global]", ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`), ""]
    .join("\n");
}
