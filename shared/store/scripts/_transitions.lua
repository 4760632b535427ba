-- What the transitions share: telling it, moving a job between statuses, ending it, queueing it again.

local function emit(job, kind, data)
  local name = 'tessera:events:' .. job.id
  local id = redis.call('XADD', name, 'MAXLEN', EVENTS_KEPT, '*', 'type', kind, 'data', data)
  local message = '{"id":"' .. id .. '","type":"' .. kind .. '","data":' .. data .. '}'
  redis.call('PUBLISH', name, message)
end

-- Warnings are kept as lines of JSON, each also an event.
local function warn(job, first)
  if first > #ARGV then
    return
  end
  local lines = redis.call('HGET', record_key(job.id), 'warnings') or ''
  for i = first, #ARGV do
    lines = lines .. ARGV[i] .. '\n'
    emit(job, 'warning', ARGV[i])
  end
  set(job, 'warnings', lines)
end

local function index_key(job, name)
  return 'tessera:tenant:' .. job.tenant .. ':' .. name
end

local function move(job, status, detail)
  if job.status then
    redis.call('ZREM', index_key(job, job.status), job.id)
  end
  redis.call('ZADD', index_key(job, status), 0, job.id)
  set(job, 'status', status)
  job.status = status
  local data = '{"status":"' .. status .. '","attempts":' .. job.attempts .. (detail or '') .. '}'
  emit(job, 'status', data)
end

-- The attempt may have left objects that no record names, or be uploading one now.
local function sweep_later(job, now)
  local prefix = job.tenant .. '/' .. job.id .. '/' .. job.attempt .. '/'
  redis.call('ZADD', 'tessera:sweeps', whole(now + SWEEP_DELAY), prefix)
end

-- How far the job had come when it ended, as far as that is known.
local function keep_progress(job, told)
  if told and told ~= '' then
    set(job, 'progress', told)
  end
end

local function finish(job, status, now, detail)
  if job.status == 'queued' then
    dequeue(job)
  else
    redis.call('ZREM', 'tessera:leases', job.id)
    if status ~= 'succeeded' then
      sweep_later(job, now)
    end
  end
  redis.call('ZREM', 'tessera:deadlines', job.id)
  redis.call('ZADD', 'tessera:expiry', whole(now + RETENTION), job.id)
  set(job, 'finished_at', whole(now))
  move(job, status, detail)
  tell_webhook(job, status, now)
end

local function finish_failed(job, now, error)
  set(job, 'error', error)
  finish(job, 'failed', now, ',"error":' .. error)
end

-- How the attempt ended, for whoever asks why the job failed; the newest lines are kept.
local function note_attempt(job, now, how, code)
  local key = record_key(job.id)
  local line = '{"attempt":' .. job.attempts .. ',"worker":' .. cjson.encode(job.worker)
    .. ',"began":' .. redis.call('HGET', key, 'claimed_at') .. ',"ended":' .. whole(now)
    .. ',"how":"' .. how .. '"' .. (code and ',"code":' .. cjson.encode(code) or '') .. '}\n'
  local lines = (redis.call('HGET', key, 'history') or '') .. line
  local _, kept = string.gsub(lines, '\n', '')
  if kept > HISTORY_KEPT then
    lines = string.gsub(lines, '^[^\n]*\n', '', 1)
  end
  set(job, 'history', lines)
end

local function requeue(job, now)
  redis.call('ZREM', 'tessera:leases', job.id)
  sweep_later(job, now)
  enqueue(job)
  move(job, 'queued')
end

-- Ends a job from outside and tells its worker at once.
local function stop(job, status, now)
  local was_running = job.status == 'running'
  finish(job, status, now)
  if was_running then
    local message = '{"type":"cancel","job_id":"' .. job.id .. '","attempt_id":"' .. job.attempt .. '"}'
    redis.call('PUBLISH', 'tessera:control:' .. job.worker, message)
  end
end
