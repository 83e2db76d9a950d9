/* Any text as a recorded session: it ends, and nothing is judged that was not said before. The pipeline is played here.
 */
#include "cli/policy.h"

#include "cli/policy_replay.c"
#include "wire/fuzz.h"

static unsigned recipients;
static bool sender;

int cli_fail(int status, const char *fmt, ...)
{
    (void)fmt;
    return status;
}
bool trial_client(struct trial *t, str ip)
{
    (void)t;
    return ip.n > 0;
}
str trial_address(struct trial *t, const struct addr *a)
{
    (void)t;
    return a->local;
}
bool trial_connect(struct trial *t)
{
    (void)t;
    return true;
}
bool trial_hello(struct trial *t, str name)
{
    (void)t;
    return name.n > 0;
}
bool trial_mail(struct trial *t, const struct mail_cmd *mail, str from)
{
    (void)t;
    (void)mail;
    sender = from.n < 1000;
    return sender;
}
bool trial_rcpt(struct trial *t, const struct rcpt_cmd *rcpt, str to)
{
    (void)t;
    (void)rcpt;
    MUST(sender);
    recipients++;
    return to.n > 0;
}
bool trial_data(struct trial *t)
{
    (void)t;
    return true;
}
bool trial_message(struct trial *t, str message)
{
    (void)t;
    MUST(recipients && message.n < 1 << 20);
    return true;
}
void trial_reset(struct trial *t)
{
    (void)t;
    sender = false;
    recipients = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trial t;
    static struct check_run run;
    struct arena mem;
    str text = str_mem(data, size);
    if (size > 1 << 16)
        return 0;
    arena_init(&mem, 4096, 16 << 20);
    run.check.mem = &mem;
    t.run = &run;
    trial_reset(&t);
    (void)trial_is_recorded(text);
    (void)trial_replay(&t, text);
    arena_free(&mem);
    return 0;
}
