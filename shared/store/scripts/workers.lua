#!lua flags=allow-oom
-- The records of the workers that were heard of lately; ids without one leave the list.

local records = {}
for _, worker in ipairs(redis.call('SMEMBERS', 'tessera:workers')) do
  local record = redis.call('GET', 'tessera:worker:' .. worker)
  if record then
    table.insert(records, record)
  else
    redis.call('SREM', 'tessera:workers', worker)
  end
end
return records
