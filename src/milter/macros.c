/*
 * Macros: facts that filters ask for by the names that Sendmail gave them. A filter may name those that it wants at
 * each stage when it negotiates; others get what Sendmail and Postfix send without being asked.
 */
#include "milter/internal.h"

static const str usual[MILTER_STAGES] = {
    [MILTER_AT_CONNECT] = S_INIT("j _ v {daemon_name} {daemon_addr} {daemon_port} {if_name} {if_addr} {client_addr} "
                                 "{client_name} {client_port} {client_ptr}"),
    [MILTER_AT_HELO] = S_INIT("{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}"),
    [MILTER_AT_MAIL] =
        S_INIT("i {auth_type} {auth_authen} {auth_ssf} {auth_author} {mail_mailer} {mail_host} {mail_addr} "
               "{client_addr} {client_name} {client_port} {client_ptr}"),
    [MILTER_AT_RCPT] = S_INIT("i {rcpt_mailer} {rcpt_host} {rcpt_addr}"),
    [MILTER_AT_DATA] = S_INIT("i"),
    [MILTER_AT_EOH] = S_INIT("i"),
    [MILTER_AT_EOM] = S_INIT("i {msg_id}"),
};

/* "{name}" and "name" are the same. */
static str bare(str word)
{
    return str_starts(word, S("{")) && str_ends(word, S("}")) ? str_sub(word, 1, word.n - 1) : word;
}

void milter_macros(struct buf *out, enum milter_cmd cmd, enum milter_stage at, const struct milter_terms *t,
                   milter_macro_fn *value, void *arg)
{
    str rest = t->macros[at].p ? t->macros[at] : usual[at], word;
    size_t begun = milter_begin(out, MILTER_MACROS), empty;
    buf_add_char(out, (char)cmd);
    empty = out->n;
    while (str_cut(&rest, ' ', &word)) {
        str name = bare(str_trim_wsp(word)), v;
        if (name.n == 0 || !(v = value(arg, name)).p)
            continue;
        if (name.n == 1) { /* in the protocol those of one letter stand without braces */
            milter_put_z(out, name);
        } else {
            buf_add_char(out, '{');
            buf_add(out, name);
            milter_put_z(out, S("}"));
        }
        milter_put_z(out, v);
    }
    if (out->n == empty && !out->e)
        out->n = begun;
    else
        milter_end(out, begun);
}
