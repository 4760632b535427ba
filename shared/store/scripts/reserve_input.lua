#!lua
-- Write an input's record before its object is stored, so that nobody removes it meanwhile.
-- Its bytes count once. Answers {'leaving'} where its removal has begun, {'too_much', wait} with the
-- microseconds until so many bytes may come, {'stored'} or {'new'}.

local DAY_US = 86400000000

local tenant, id, width, height, bytes = unpack(ARGV)
if input_leaves(tenant, id) then
  return { 'leaving' }
end
local key = input_key(tenant, id)
if redis.call('EXISTS', key) == 0 then
  local name, now, interval = 'bytes:' .. tenant, now_us(), DAY_US / INPUT_BYTES_PER_DAY
  local wait = wait_us(name, now, bytes, interval, INPUT_BYTES_PER_DAY)
  if wait > 0 then
    return { 'too_much', whole(wait) }
  end
  use_up(name, now, bytes, interval)
end
renew_input(tenant, id)
redis.call('HSET', key, 'width', width, 'height', height, 'bytes', bytes)
return { redis.call('HEXISTS', key, 'stored') == 1 and 'stored' or 'new' }
