#!lua
-- Write an input's record before its object is stored, so that nobody removes it meanwhile.
-- Answers 'leaving' where its removal has begun, 'stored' or 'new'.

local tenant, id, width, height, bytes = unpack(ARGV)
if input_leaves(tenant, id) then
  return 'leaving'
end
local key = input_key(tenant, id)
renew_input(tenant, id)
redis.call('HSET', key, 'width', width, 'height', height, 'bytes', bytes)
return redis.call('HEXISTS', key, 'stored') == 1 and 'stored' or 'new'
