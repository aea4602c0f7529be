#!lua flags=allow-oom
-- conn_link: Xero has said yes: the connection is with this organisation, by this consent. Disconnected
-- becomes active and its orders go on; paused stays paused.
-- ARGV: 1 connection  2 grant of the consent, '' with client credentials  3 tenant  4 its name
--   5 '1' if another tenant than before is wanted  6 who
-- Returns {'ok', status}, {'none'}, {'uninstalled'}, {'tenant', present one}, {'leased'} (orders are on
-- their way to the present one).
-- Sent twice: the second writes the same.
local C, grant, tenant, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = P .. 'conn:' .. C
local c = redis.call('HMGET', key, 'status', 'tenant', 'consent')
local status, old = c[1], c[2] or ''
if not status then return { 'none' } end
if status == 'uninstalled' then return { 'uninstalled' } end
local moves = old ~= '' and old ~= tenant
if moves and ARGV[5] ~= '1' then return { 'tenant', old } end
if moves and redis.call('EXISTS', P .. 'leases:' .. C) == 1 then return { 'leased' } end
if moves then forget_tenant(C) end
redis.call('HSET', key, 'tenant', tenant, 'tenant_name', name, 'status', status == 'paused' and status or 'active')
if grant ~= '' then redis.call('HSET', key, 'consent', grant) end
redis.call('HDEL', key, 'dropped', 'nb', 'why')
redis.call('HINCRBY', key, 'version', 1)
audit(ARGV[6], 'connect', 'connection ' .. C, status .. ' ' .. old, tenant)
log_add(C, 'info', '', '', 'connected', 'The connection is with the Xero organisation ' .. name .. '.')
relane_and_ring(C)
return { 'ok', status }
