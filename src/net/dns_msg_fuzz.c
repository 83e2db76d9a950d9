/* DNS messages: the first octet chooses the type that is asked for. */
#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const unsigned types[] = {DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA, DNS_SRV};
    struct arena a;
    struct dns_answer ans;
    if (n == 0)
        return 0;
    arena_init(&a, 512, DNS_ANSWER_MAX);
    err e = dns_msg_read(str_mem(p + 1, n - 1), types[p[0] % 7], &a, &ans);
    if (e == OK && (ans.n == 0 || ans.n > DNS_TEXTS_MAX || ans.ttl > 86400))
        __builtin_trap();
    for (size_t i = 0; e == OK && i < ans.n; i++)
        for (size_t k = 0; k < ans.v[i].data.n && types[p[0] % 7] == DNS_MX; k++)
            if ((unsigned char)ans.v[i].data.p[k] <= ' ')
                __builtin_trap();
    arena_free(&a);
    return 0;
}
