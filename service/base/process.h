/*
 * process: what a program does about itself, whatever its work is: asking its own health, and
 * keeping its memory out of core dumps. Knows no configuration and no Redis. Called by main alone,
 * before other threads start.
 */
#pragma once

/* GET /healthz at LISTEN (host:port, as configured; a wildcard address is asked on the loopback
 * one): what a container's HEALTHCHECK runs. 0 if the answer is 200, else 1. At most 3 s. */
int proc_ask_health(const char *listen);
/* No core dump and no debugger may show this process' secrets. Does nothing in sanitizer builds,
 * which have to look into their own process. */
void proc_forbid_dumps(void);
