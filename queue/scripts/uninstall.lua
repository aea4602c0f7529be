#!lua flags=allow-oom
-- uninstall: status first, so that nothing goes on; then what the connection held is erased, 1,000
-- orders a call. The stores' identity and webhook secrets stay, so that deliveries are verified and
-- skipped with a reason, and so do the order records: Xero ids count for their tenant only.
-- ARGV: 1 connection  2 who
-- Returns {'none'}, {'more'}, {'leased'} (orders are on their way: the last lease finishes it, or the
-- sweep), {'ok'}.
-- Sent twice: what is erased is erased.
local C = ARGV[1]
local key = P .. 'conn:' .. C
local status = redis.call('HGET', key, 'status')
if not status then return { 'none' } end
if status ~= 'uninstalled' then
  redis.call('HSET', key, 'status', 'uninstalled', 'erasing', '1')
  redis.call('HDEL', key, 'nb', 'why', 'dropped')
  redis.call('HINCRBY', key, 'version', 1)
  audit(ARGV[2], 'uninstall', 'connection ' .. C, status, 'uninstalled')
  log_add(C, 'info', '', '', 'uninstalled', 'Xero was uninstalled; settings, tokens and waiting orders are erased.')
  relane(C)
end
return { erase(C) }
