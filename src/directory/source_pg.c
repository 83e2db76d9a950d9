/* PostgreSQL: the query gives the stored password of an address, in a form of crypt(3). */
#include "directory/source.h"

#include <libpq-fe.h>
#include <stdio.h>

static PGconn *open_it(struct source_question *q)
{
    char text[1024], timeout[16];
    /* In whole seconds, at least two (libpq's least). */
    snprintf(timeout, sizeof timeout, "%lld",
             (long long)(q->source->timeout / RT_S < 2 ? 2 : q->source->timeout / RT_S));
    if (!str_to_c(q->source->address, text, sizeof text))
        return NULL;
    const char *const keys[] = {"dbname", "connect_timeout", "options", "application_name", "passfile", NULL};
    const char *const values[] = {text, timeout, "-c statement_timeout=5000", "postrider", "", NULL};
    return PQconnectdbParams(keys, values, 1);
}

void source_postgresql(struct source_question *q)
{
    char sql[2048];
    const char *values[1] = {q->address};
    PGconn *c = str_to_c(q->source->query, sql, sizeof sql) ? open_it(q) : NULL;
    PGresult *r = c && PQstatus(c) == CONNECTION_OK ? PQexecParams(c, sql, 1, NULL, values, NULL, NULL, 0) : NULL;
    q->answer = SOURCE_DOWN;
    if (r && PQresultStatus(r) == PGRES_TUPLES_OK) {
        if (PQntuples(r) == 0)
            q->answer = SOURCE_NO;
        else if (!q->login)
            q->answer = SOURCE_YES;
        else if (PQnfields(r) > 0 && !PQgetisnull(r, 0, 0) &&
                 str_to_c(str_c(PQgetvalue(r, 0, 0)), q->hash, sizeof q->hash))
            q->answer = SOURCE_HASH;
        else
            q->answer = SOURCE_WRONG;
    } else {
        snprintf(q->why, sizeof q->why, "%s", c ? PQerrorMessage(c) : "out of memory");
    }
    PQclear(r);
    if (c)
        PQfinish(c);
}
