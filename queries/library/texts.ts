/** The .sql files of the library as text: imported, so that they are part of every executable. */
import address_history from "./address_history.sql" with { type: "text" };
import api_requests from "./api_requests.sql" with { type: "text" };
import bad_callers_403 from "./bad_callers_403.sql" with { type: "text" };
import bad_callers_404 from "./bad_callers_404.sql" with { type: "text" };
import bad_callers_429 from "./bad_callers_429.sql" with { type: "text" };
import bad_pages_404 from "./bad_pages_404.sql" with { type: "text" };
import bandwidth_by_address from "./bandwidth_by_address.sql" with { type: "text" };
import before_errors from "./before_errors.sql" with { type: "text" };
import bots from "./bots.sql" with { type: "text" };
import busy_addresses from "./busy_addresses.sql" with { type: "text" };
import downloads from "./downloads.sql" with { type: "text" };
import dwell_times from "./dwell_times.sql" with { type: "text" };
import error_bursts from "./error_bursts.sql" with { type: "text" };
import failing_addresses from "./failing_addresses.sql" with { type: "text" };
import first_seen_addresses from "./first_seen_addresses.sql" with { type: "text" };
import latency_by_route from "./latency_by_route.sql" with { type: "text" };
import next_requests from "./next_requests.sql" with { type: "text" };
import not_found_urls from "./not_found_urls.sql" with { type: "text" };
import referer_domains from "./referer_domains.sql" with { type: "text" };
import requests_by_address from "./requests_by_address.sql" with { type: "text" };
import requests_by_hour from "./requests_by_hour.sql" with { type: "text" };
import requests_by_path from "./requests_by_path.sql" with { type: "text" };
import requests_by_place from "./requests_by_place.sql" with { type: "text" };
import requests_by_status from "./requests_by_status.sql" with { type: "text" };
import requests_by_user_agent from "./requests_by_user_agent.sql" with { type: "text" };
import sessions from "./sessions.sql" with { type: "text" };
import slow_upstreams from "./slow_upstreams.sql" with { type: "text" };
import totals from "./totals.sql" with { type: "text" };

/** By name: volume and callers, what is asked for, visits, speed, errors. */
export const TEXTS: Readonly<Record<string, string>> = {
  totals,
  requests_by_hour,
  requests_by_status,
  requests_by_address,
  requests_by_user_agent,
  requests_by_path,
  requests_by_place,
  bandwidth_by_address,
  busy_addresses,
  first_seen_addresses,
  address_history,
  bots,
  api_requests,
  downloads,
  referer_domains,
  sessions,
  dwell_times,
  next_requests,
  latency_by_route,
  slow_upstreams,
  error_bursts,
  before_errors,
  failing_addresses,
  not_found_urls,
  bad_pages_404,
  bad_callers_404,
  bad_callers_403,
  bad_callers_429,
};
