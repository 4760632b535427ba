-- The outbox: a transition writes the exact bytes that its webhook will carry.

local MONTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

-- A moment in ISO 8601 as a JSON string, or null; Redis lends scripts no calendar.
local function moment(microseconds)
  if not microseconds then
    return 'null'
  end
  local seconds = math.floor(microseconds / 1000000)
  local days, year, month = math.floor(seconds / 86400), 1970, 1
  while days >= (leap(year) and 366 or 365) do
    days = days - (leap(year) and 366 or 365)
    year = year + 1
  end
  local function length()
    return month == 2 and leap(year) and 29 or MONTHS[month]
  end
  while days >= length() do
    days = days - length()
    month = month + 1
  end
  return string.format('"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ"', year, month, days + 1,
    math.floor(seconds / 3600) % 24, math.floor(seconds / 60) % 60, seconds % 60,
    microseconds % 1000000)
end

-- What lies in S3 under the JSON's first key, as the gateway shows it: with a link of its own.
local function linked(json, url)
  local link = '"url":"' .. url .. '","url_expires_at":null'
  return (string.gsub(json, '"key":"[^"]*"', function() return link end, 1))
end

local function pictures(record, location)
  local shown = {}
  for index = 0, record.num_images - 1 do
    local image = record['image:' .. index]
    if image then
      local url = location .. '/images/' .. index
      -- The trajectory's key comes after the picture's own; without one this changes nothing.
      table.insert(shown, linked(linked(image, url), url .. '/trajectory'))
    end
  end
  return table.concat(shown, ',')
end

local function webhook_body(job, webhook, event, now)
  local flat, record = redis.call('HGETALL', record_key(job.id)), {}
  for i = 1, #flat, 2 do
    record[flat[i]] = flat[i + 1]
  end
  local warnings = string.gsub(string.sub(record.warnings or '', 1, -2), '\n', ',')
  return '{"type":"job.' .. event .. '","timestamp":' .. moment(now)
    .. ',"data":{"id":"' .. job.id .. '","status":"' .. job.status
    .. '","created_at":' .. moment(record.created_at)
    .. ',"started_at":' .. moment(record.started_at)
    .. ',"finished_at":' .. moment(record.finished_at)
    .. ',"request":' .. webhook.request
    .. ',"images":[' .. pictures(record, webhook.location)
    .. '],"warnings":[' .. warnings
    .. '],"error":' .. (record.error or 'null')
    .. ',"attempts":' .. record.attempts
    .. ',"timing":' .. (record.timing or 'null')
    .. ',"links":{"self":"' .. webhook.location .. '"}}}'
end

local function wanted(webhook, event)
  for _, name in ipairs(webhook.events) do
    if name == event then
      return true
    end
  end
  return false
end

-- A job has at most one event of each name, so the id says it all.
local function tell_webhook(job, event, now)
  local webhook = job.webhook and cjson.decode(job.webhook)
  if not webhook or not wanted(webhook, event) then
    return
  end
  local delivery = {
    id = 'msg_' .. string.sub(job.id, 5) .. '_' .. event, tenant = job.tenant,
    target = webhook.target, endpoint = webhook.endpoint, created_at = whole(now),
  }
  redis.call('HSET', delivery_key(delivery.id), 'tenant', job.tenant, 'owner', webhook.owner,
    'job_id', job.id, 'type', 'job.' .. event, 'url', webhook.url, 'target', webhook.target,
    'endpoint', webhook.endpoint, 'created_at', delivery.created_at, 'status', 'pending',
    'tries', 0, 'round', 0, 'body', webhook_body(job, webhook, event, now))
  if job.traceparent then
    redis.call('HSET', delivery_key(delivery.id), 'traceparent', job.traceparent)
  end
  if disabled(delivery) then
    end_delivery(delivery, 'disabled')
  else
    schedule(delivery, now)
    wake(delivery, now)
  end
end
