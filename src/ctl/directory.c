/* domain, user, alias, credential, dkim: other rooms do the work, also without a server; here they are only called. */
#include "ctl/internal.h"
#include "directory/directory.h"
#include "keys/keys.h"

enum { WORK_MAX = 256 * 1024 * 1024, COMPLAINTS_MAX = 65536 };

static void complain(struct ctl_session *s, str text)
{
    str line;
    while (text.n && str_cut(&text, '\n', &line))
        if (line.n)
            ctl_out_error(&s->out, line);
}

int ctl_directory(struct ctl_session *s)
{
    AUTO_ARENA mem = {0};
    AUTO_BUF why;
    struct conf *conf = s->rooms->conf();
    arena_init(&mem, 16384, WORK_MAX);
    mem.secret = s->arena.secret = true; /* passwords are among the words */
    buf_init(&why, COMPLAINTS_MAX);
    struct directory_call c = {.conf = conf,
                               .words = s->args.word,
                               .n = s->args.nword,
                               .json = s->out.json,
                               .out = &s->out.b,
                               .why = &why,
                               .arena = &mem};
    int status = directory_command(&c);
    conf_drop(&conf);
    ctl_out_send(&s->out);
    complain(s, buf_str(&why));
    return status;
}

int ctl_keys(struct ctl_session *s)
{
    AUTO_ARENA mem = {0};
    AUTO_BUF why;
    struct conf *conf = s->rooms->conf();
    arena_init(&mem, 16384, WORK_MAX);
    buf_init(&why, COMPLAINTS_MAX);
    const struct keys_call c = {.conf = conf,
                                .words = s->args.word + 1,
                                .n = s->args.nword - 1,
                                .json = s->out.json,
                                .out = &s->out.b,
                                .why = &why,
                                .arena = &mem};
    int status = keys_command(&c);
    conf_drop(&conf);
    ctl_out_send(&s->out);
    complain(s, buf_str(&why));
    return status;
}
