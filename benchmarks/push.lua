-- Deliveries for wrk: one push, again and again, each with a delivery id of its own.
-- Arguments: the body's file, the first part of the delivery ids, then header names and values.
-- One thread only (-t1): the counter belongs to a thread.

local headers = {}
local body, prefix
local sent = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  body = file:read("*a")
  file:close()
  prefix = args[2]
  for i = 3, #args, 2 do
    headers[args[i]] = args[i + 1]
  end
end

function request()
  sent = sent + 1
  headers["X-GitHub-Delivery"] = prefix .. string.format("%012x", sent)
  return wrk.format("POST", nil, headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50": %d, "p99": %d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
