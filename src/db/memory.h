/*
 * A database that others made, read from memory: a copy of its file. One question is asked of it, by a text of the
 * configuration. Any thread; calls block.
 */
#ifndef DB_MEMORY_H
#define DB_MEMORY_H
#include "db/db.h"

struct db_memory;
/* `query` must only read, and take at most one value, ?1. E_CORRUPT, E_SYNTAX (the
 * query), E_NOMEM; *why in words. */
err db_memory_open(struct db_memory **ret, str bytes, str query, struct buf *why) BLOCKS;
void db_memory_close(struct db_memory **m) BLOCKS; /* NULL is fine */
/* Does the query give a row whose first column is not NULL, 0 or ""? E_LIMIT: it takes too long. */
err db_memory_has(struct db_memory *m, str value, bool *ret, struct buf *why) BLOCKS;

#endif
