/*
 * What all checks of an arriving message cost: SPF of HELO and MAIL FROM, iprev, DKIM, ARC, DMARC and the field that
 * says so, on a message of some 10 KB with one RSA-2048 signature. Answers of DNS come from memory, as from the cache.
 *
 *     check-bench [MESSAGES]     microseconds of CPU time a message, by step
 */
#include "base/cleanup.h"
#include "check/check.h"
#include "check/sign.h"
#include "priv/sign_key.h"

#include <stdio.h>
#include <time.h>

static char record[1024];
static const struct {
    const char *name;
    enum dns_type type;
    const char *data;
} zone[] = {
    {"mail.example.test", DNS_TXT, "v=spf1 a -all"},
    {"mail.example.test", DNS_A, "\xc0\x00\x02\x01"},
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "mail.example.test"},
    {"example.test", DNS_TXT, "v=spf1 ip4:198.51.100.0/24 include:spf.example.test -all"},
    {"spf.example.test", DNS_TXT, "v=spf1 ip4:203.0.113.0/24 ip4:192.0.2.0/24 -all"},
    {"s._domainkey.example.test", DNS_TXT, record},
    {"_dmarc.example.test", DNS_TXT, "v=DMARC1; p=reject; rua=mailto:d@example.test"},
};

static err ask(void *arg, const struct dns_question *q, struct arena *a, struct dns_answer *ret)
{
    (void)arg;
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (zone[i].type == q->type && str_ieq(q->name, str_c(zone[i].name))) {
            *ret = (struct dns_answer){.v = arena_new(a, struct dns_record), .n = 1, .ttl = 60};
            if (!ret->v)
                return E_NOMEM;
            ret->v->data = arena_str(a, q->type == DNS_A ? str_mem(zone[i].data, 4) : str_c(zone[i].data));
            return OK;
        }
    return E_DNS_NONE;
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static err sign(void *arg, const unsigned char hash[DKIM_HASH_SIZE], struct buf *out)
{
    return sign_key_sign(arg, hash, out);
}

static void make_message(struct buf *out)
{
    AUTO_BUF pem = {.max = 16384}, plain = {.max = 65536}, rec;
    struct sign_key *key = NULL;
    struct check_body *b = NULL;
    buf_init_fixed(&rec, record, sizeof record - 1);
    (void)sign_key_make(2048, &pem);
    if (sign_key_read(buf_str(&pem), &key) || sign_key_record(key, &rec) || check_body_new(&b, false, true))
        exit(1);
    buf_add(&plain, S("From: Sender <s@example.test>\r\nTo: r@other.test\r\nSubject: a message of ten kilobytes\r\n"
                      "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
    size_t head = plain.n;
    while (plain.n < 10000)
        buf_add(&plain, S("Words of a text as people write it, in lines of some seventy octets.\r\n"));
    check_body_feed(b, str_skip(buf_str(&plain), head));
    struct sign_order o = {.domain = S_INIT("example.test"),
                           .selector = S_INIT("s"),
                           .head = CANON_RELAXED,
                           .body = CANON_RELAXED,
                           .t = 1700000000,
                           .sign = sign,
                           .arg = key};
    if (check_sign(&o, str_sub(buf_str(&plain), 0, head), check_body_hash(b, CANON_RELAXED), out))
        exit(1);
    buf_add(out, buf_str(&plain));
    check_body_free(&b);
    sign_key_free(&key);
}

enum { SPF, DKIM, DMARC, FIELD, STEPS };

static void one(str message, size_t head, double *us)
{
    static const struct check_source source = {ask, NULL};
    AUTO_ARENA mem = {0};
    AUTO_BUF field = {.max = 65536};
    struct check_results r = {0};
    struct check_mail *m = NULL;
    double t0 = cpu_us(), t;
    arena_init(&mem, 16384, 8 << 20);
    struct check c = {.mem = &mem,
                      .source = &source,
                      .deadline = RT_NEVER,
                      .now_s = 1700000100,
                      .helo = S_INIT("mail.example.test"),
                      .from = S_INIT("s@example.test"),
                      .us = S_INIT("mx.test")};
    (void)ip_parse(S("192.0.2.1"), &c.ip);
    check_iprev(&c, &r.iprev);
    check_spf_helo(&c, &r.helo);
    check_spf_mail(&c, &r.mail);
    us[SPF] += (t = cpu_us()) - t0;
    t0 = t;
    if (check_mail_begin(&c, str_sub(message, 0, head), true, &m))
        exit(1);
    check_mail_body(m, str_skip(message, head));
    check_mail_end(m, &r);
    check_mail_free(&m);
    us[DKIM] += (t = cpu_us()) - t0;
    t0 = t;
    check_dmarc(&c, str_sub(message, 0, head), &r);
    us[DMARC] += (t = cpu_us()) - t0;
    t0 = t;
    (void)check_authres(&c, &r, c.us, &field);
    us[FIELD] += cpu_us() - t0;
    if (r.mail.result != CHECK_PASS || r.dkim[0].result != CHECK_PASS || r.dmarc.result != CHECK_PASS) {
        fprintf(stderr, "spf %s dkim %s dmarc %s\n", check_result_name(r.mail.result),
                check_result_name(r.dkim[0].result), check_result_name(r.dmarc.result));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[STEPS] = {"iprev and SPF", "DKIM and ARC", "DMARC", "the field"};
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    double us[STEPS] = {0}, all = 0;
    AUTO_BUF message = {.max = 65536};
    make_message(&message);
    size_t head = head_len(buf_str(&message), NULL);
    one(buf_str(&message), head, us);
    for (int i = 0; i < STEPS; i++)
        us[i] = 0;
    double t0 = cpu_us();
    for (long i = 0; i < n; i++)
        one(buf_str(&message), head, us);
    all = cpu_us() - t0;
    printf("%ld messages of %zu octets: %.1f us each\n", n, message.n, all / (double)n);
    for (int i = 0; i < STEPS; i++)
        printf("  %-14s %6.1f us\n", names[i], us[i] / (double)n);
    return 0;
}
