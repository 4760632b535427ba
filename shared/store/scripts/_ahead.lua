-- What goes before a job in fair order, as far as can be told from what waits now.

local SAMPLED_TENANTS = 32

-- The jobs and the cost of the other tenants in a lane whose turn comes before `tenant` has been
-- served `mine`: each is served until its virtual time passes that of the tenant.
local function others_before(lane, tenant, mine, mean)
  local tenants = lane_key(lane, 'tenants')
  local own = redis.call('ZSCORE', tenants, tenant)
  if not own then
    local least = tonumber(smallest(lane) or 0)
    own = math.max(tonumber(redis.call('ZSCORE', lane_key(lane, 'idle'), tenant) or 0), least)
  end
  local level = own + mine
  local found = redis.call('ZRANGEBYSCORE', tenants, '-inf', level, 'WITHSCORES', 'LIMIT', 0, SAMPLED_TENANTS)
  local names, times = {}, {}
  for i = 1, #found, 2 do
    if found[i] ~= tenant then
      table.insert(names, found[i])
      table.insert(times, found[i + 1])
    end
  end
  if #names == 0 then
    return 0
  end
  local cost = 0
  for i, waiting in ipairs(redis.call('ZMSCORE', lane_key(lane, 'costs'), unpack(names))) do
    cost = cost + math.min(waiting, level - times[i] + mean)
  end
  local all = redis.call('ZCOUNT', tenants, '-inf', level)
  if redis.call('ZSCORE', tenants, tenant) then
    all = all - 1
  end
  return cost * all / #names
end

-- The tenant's jobs that came before go first, and the others' as far as fairness lets them.
local function ahead_in_lane(lane, tenant, before)
  local waiting = redis.call('ZCARD', lane_key(lane, 'waiting'))
  if waiting == 0 then
    return 0, 0
  end
  local mean = redis.call('HGET', 'tessera:queue:cost', lane) / waiting
  local jobs = redis.call('ZCARD', lane_key(lane, 'jobs:' .. tenant))
  local mine = 0
  if jobs > 0 then
    mine = redis.call('ZSCORE', lane_key(lane, 'costs'), tenant) * before / jobs
  end
  local others = others_before(lane, tenant, mine, mean)
  return before + others / mean, mine + others
end

-- Another lane goes first as a whole if it is higher, and up to `since` if it is another model's
-- of the same priority.
local function ahead_in_other(lane, is_higher, since)
  local waiting = redis.call('ZCARD', lane_key(lane, 'waiting'))
  local jobs = waiting
  if not is_higher then
    jobs = redis.call('ZCOUNT', lane_key(lane, 'waiting'), '-inf', '(' .. since)
  end
  return jobs, redis.call('HGET', 'tessera:queue:cost', lane) * jobs / waiting
end

-- {model, jobs, cost} for each lane with jobs that go before one of this tenant, of which `before`
-- of its own in the same lane came earlier.
local function ahead(model, priority, tenant, before, since)
  local own_lane = model .. ':' .. priority
  local rank = {}
  for i, name in ipairs(PRIORITIES) do
    rank[name] = i
  end
  local rows = {}
  for _, lane in ipairs(redis.call('SMEMBERS', 'tessera:lanes')) do
    local other, its_priority = string.match(lane, '^(.*):(.*)$')
    local jobs, cost = 0, 0
    if lane == own_lane then
      jobs, cost = ahead_in_lane(lane, tenant, before)
    elseif rank[its_priority] <= rank[priority] then
      jobs, cost = ahead_in_other(lane, rank[its_priority] < rank[priority], since)
    end
    if jobs > 0 then
      table.insert(rows, { other, thousandths(jobs), thousandths(cost) })
    end
  end
  return rows
end

local function ahead_of(job)
  local before = redis.call('ZRANK', lane_key(lane_of(job), 'jobs:' .. job.tenant), job.id)
  return ahead(job.model, job.priority, job.tenant, before, job.created_at)
end
