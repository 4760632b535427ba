#!lua flags=no-writes
-- The members of a sorted set whose time has come.

local set_of, limit = ARGV[1], ARGV[2]
return redis.call('ZRANGEBYSCORE', set_of, '-inf', whole(now_us()), 'LIMIT', 0, limit)
