/*
 * Is a value in a section `list`? Its entries and file (conf/access.h), its SQLite database, its DNS lists, in this
 * order. A source that cannot be asked is as one that does not have it; that is logged.
 */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H
#include "conf/conf.h"
#include "rt/rt.h"

/* `c` is the generation that `l` belongs to. `until` bounds what asks others. */
bool list_has_ip(struct conf *c, const struct conf_access *l, const struct ip *ip, rt_time until) YIELDS;
bool list_has_domain(struct conf *c, const struct conf_access *l, str name, rt_time until) YIELDS;
bool list_has_address(struct conf *c, const struct conf_access *l, str address, rt_time until) YIELDS; /* "" is <> */
bool list_has_text(struct conf *c, const struct conf_access *l, str text, rt_time until) YIELDS;

#endif
