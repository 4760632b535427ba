-- What somebody may use up at a rate, with a burst, kept as the time until which he owes.

local function limit_key(name)
  return 'tessera:limit:' .. name
end

-- Microseconds that are owed under a limit now; nothing without one.
local function owed_us(name, now)
  if name == '' then
    return 0
  end
  local until_us = tonumber(redis.call('GET', limit_key(name)) or 0)
  return math.max(until_us - now, 0)
end

-- How long until `amount` may be used, 0 for now; each unit takes `interval` microseconds to pay.
-- Who owes nothing may use any amount, since otherwise one above the burst could never be.
local function wait_us(name, now, amount, interval, burst)
  local owed = owed_us(name, now)
  return math.min(math.max(owed + (amount - burst) * interval, 0), owed)
end

local function use_up(name, now, amount, interval)
  local owed = owed_us(name, now) + amount * interval
  redis.call('SET', limit_key(name), whole(now + owed), 'PX', whole(math.ceil(owed / 1000) + 1))
end
