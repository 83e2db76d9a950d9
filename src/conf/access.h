/*
 * What a section list holds in itself (entries, file), ready to be asked: networks as sorted ranges, everything else in
 * one table of exact texts, patterns one after the other. Immutable, pure. Made once a generation; a million entries
 * cost some 60 octets each.
 */
#ifndef CONF_ACCESS_H
#define CONF_ACCESS_H
#include "base/arena.h"
#include "wire/ip.h"

enum { ACCESS_PATTERNS = 10000, ACCESS_ENTRIES = 8000000, ACCESS_ENTRY_MAX = 320 };

struct access_set;
/* Empty; NULL without memory. */
struct access_set *access_new(void);
/* One entry as a person writes it: a network or address, "info@example.org", "@example.org", a domain, ".example.org",
 * a pattern with * and ?. NULL, or what was expected ("" without memory). */
const char *access_add(struct access_set *a, str entry);
/* No more entries come; it may be asked now. False without memory. */
bool access_done(struct access_set *a);
void access_free(struct access_set **a);
size_t access_count(const struct access_set *a);

bool access_has_ip(const struct access_set *a, const struct ip *ip);
/* The name, or ".x" for a domain that it is below of. */
bool access_has_domain(const struct access_set *a, str name);
/* The address, its "@domain" or "@.x", or its domain as above. "" and "<>" are asked as <>. */
bool access_has_address(const struct access_set *a, str address);
bool access_has_text(const struct access_set *a, str text);

/* The texts under which an address or a domain may be in a list, the longest first: "a@b.c", "@b.c", "b.c", "@.c",
 * ".c". Calls until one is true. */
bool access_each_form(str value, bool (*has)(void *arg, str form), void *arg);

/* * stands for any text, ? for one octet; ASCII case does not matter. */
bool access_glob(str pattern, str text);

#endif
