#!lua flags=allow-oom
-- Remove the record of an ended job; its objects are gone already.

local job = load_job(ARGV[1])
if not job then
  return 0
end
if not terminal(job) then
  return redis.error_reply('UNFINISHED job cannot be forgotten')
end
redis.call('ZREM', index_key(job, 'jobs'), job.id)
redis.call('ZREM', index_key(job, job.status), job.id)
redis.call('ZREM', 'tessera:expiry', job.id)
redis.call('DEL', record_key(job.id), 'tessera:events:' .. job.id)
return 1
