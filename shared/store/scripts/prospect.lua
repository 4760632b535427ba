#!lua flags=no-writes
-- What would go before a job that is submitted now: rows of {model, jobs, cost}.

local model, priority, tenant = unpack(ARGV)
local before = redis.call('ZCARD', lane_key(model .. ':' .. priority, 'jobs:' .. tenant))
return ahead(model, priority, tenant, before, whole(now_us()))
