/* The table of commands, and what is made of it: the look-up, HELP, the manual. */
#include "recv/internal.h"

/* The words of cmds.def. */
enum { SMTP = PROTO_SMTP, LMTP = PROTO_LMTP, BOTH = PROTO_BOTH };
enum { GREET = STATE_GREET, READY = STATE_READY, MAIL = STATE_MAIL, ANY = 15 };
enum { NOARG = CMD_NOARG, ARG = CMD_ARG, ALONE = CMD_ALONE, IDLE = CMD_IDLE, HIDDEN = CMD_HIDDEN, FRAME = CMD_FRAME };

const struct command commands[] = {
#define CMD(verb, protocols, states, flags, handler, syntax, rfc)                                                      \
    {S_INIT(#verb), protocols, states, flags, handler, syntax, rfc},
#include "recv/cmds.def"
#undef CMD
};
const size_t ncommands = sizeof commands / sizeof *commands;

static bool offered(const struct session *s, const struct command *cmd)
{
    if (!(cmd->protocols & (is_lmtp(s) ? PROTO_LMTP : PROTO_SMTP)))
        return false;
    return (cmd->run != do_xclient && cmd->run != do_xforward) || can_xclient(s);
}

const struct command *command_find(const struct session *s, str verb)
{
    for (size_t i = 0; i < ncommands; i++)
        if (str_ieq(commands[i].verb, verb))
            return offered(s, &commands[i]) ? &commands[i] : NULL;
    return NULL;
}

void do_help(struct session *s, const struct cmd *c, struct reply *r)
{
    const struct command *about = c->args.n ? command_find(s, c->args) : NULL;
    if (about) {
        reply_set(r, 214, "2.0.0", "%s (%s)", about->syntax, about->rfc);
        return;
    }
    if (c->args.n) {
        reply_set(r, 504, "5.5.4", "No help for that");
        return;
    }
    char mem[400];
    struct buf list;
    buf_init_fixed(&list, mem, sizeof mem);
    for (size_t i = 0; i < ncommands; i++)
        if (!(commands[i].flags & CMD_HIDDEN) && offered(s, &commands[i])) {
            buf_add_char(&list, ' ');
            buf_add(&list, commands[i].verb);
        }
    reply_set(r, 214, "2.0.0", "Commands:" STR_FMT, STR_ARG(buf_str(&list)));
    reply_add(r, "HELP command tells its syntax and where it is defined");
}

void recv_manual(struct buf *out)
{
    for (size_t i = 0; i < ncommands; i++)
        buf_printf(out, "%-36s %s%s\n", commands[i].syntax, commands[i].rfc,
                   commands[i].flags & CMD_ALONE ? "; nothing may follow it in its group" : "");
}
