#!lua flags=allow-oom
-- Tell a finished picture, and what there is to warn of in it: from now on both are the job's,
-- whatever becomes of the attempt.

local job, attempt, index, image = load_job(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local FIRST_WARNING = 5
local told = job and redis.call('HGET', record_key(job.id), 'image:' .. index)
if told == image then
  return 'ok'
end
if not owns(job, attempt) then
  return 'lost'
end
if told then
  return redis.error_reply('PICTURES picture ' .. index .. ' has been told before')
end
set(job, 'image:' .. index, image)
count(job, 'images')
warn(job, FIRST_WARNING)
emit(job, 'image', image)
return 'ok'
