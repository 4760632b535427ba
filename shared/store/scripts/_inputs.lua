-- Input pictures: where a record lies, and how its time is renewed.

local INPUTS = 'tessera:inputs'

local function input_key(tenant, id)
  return 'tessera:input:' .. tenant .. ':' .. id
end

local function input_jobs_key(tenant, id)
  return 'tessera:input_jobs:' .. tenant .. ':' .. id
end

local function renew_input(tenant, id)
  local expires_at = whole(now_us() + INPUT_RETENTION)
  redis.call('ZADD', INPUTS, expires_at, tenant .. '/' .. id)
  return expires_at
end

-- The removal of an input has begun: its object may go at any moment, so it can be used no more.
local function input_leaves(tenant, id)
  return redis.call('HEXISTS', input_key(tenant, id), 'leaving') == 1
end
