/*
 * own: tells gcc's -fanalyzer who frees what hiredis and libcurl hand out, so that a reply or a
 * handle that is lost on an error path is reported. Forced into every file by analyze.sh; declares
 * the libraries' types itself, so that files which do not know them compile as before.
 */
#pragma once

struct redisContext;
void redisFree(struct redisContext *c);
void freeReplyObject(void *reply);
__attribute__((malloc(freeReplyObject, 1))) void *redisCommand(struct redisContext *c,
                                                               const char *format, ...);
__attribute__((malloc(freeReplyObject, 1))) void *redisCommandArgv(struct redisContext *c, int argc,
                                                                   const char **argv,
                                                                   const __SIZE_TYPE__ *argvlen);
