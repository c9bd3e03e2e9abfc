/** What has come to a stream since the agent started. */
export interface InputCounts {
  messages: number;
  bytes: number;
  /** Datagrams that came while the spool was full or could not be written. */
  lost: number;
}

/** Nothing yet. */
export function noCounts(): InputCounts {
  return { messages: 0, bytes: 0, lost: 0 };
}
