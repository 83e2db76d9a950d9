/*
 * Devices: printers, scanners, cameras and the like, on listeners with the key devices. Each address of a network that
 * is named there has one account, no TLS or an old one will do, and line ends that are only CR or LF are repaired, here
 * and nowhere else. Every command is logged with its answer.
 */
#include "directory/directory.h"
#include "recv/internal.h"

enum { PIECE = 4096 };

bool device_listener(const struct session *s)
{
    const struct conf_listener *l = s->l->c.conf_listener;
    return l && l->devices.n > 0;
}

/* "192.0.2.7=printer@example.test": the account of this address; an address of its own goes before a network. */
static str account_of(const struct session *s)
{
    const struct conf_list *v = &s->l->c.conf_listener->devices;
    str found = S("");
    int bits = -1;
    for (size_t i = 0; i < v->n; i++) {
        struct ip_net net;
        size_t at = str_find(v->v[i], '=');
        if (at != STR_NONE && ip_net_parse(str_trim(str_sub(v->v[i], 0, at)), &net) &&
            ip_net_has(&net, &s->src.client.ip) && (int)net.bits > bits) {
            bits = net.bits;
            found = str_trim(str_skip(v->v[i], at + 1));
        }
    }
    return found;
}

void device_trust(struct session *s)
{
    str account = account_of(s);
    s->device = account.n > 0;
    if (!s->device)
        return;
    s->src.account = account;
    s->src.user = account;
    s->src.may_relay = s->src.submitted = true;
    s->src.size_most = s->conf->devices_message_size;
    s->src.recipients_most = (uint32_t)s->conf->devices_recipients;
}

bool device_welcome(struct session *s, struct reply *r)
{
    if (!device_listener(s) || s->device)
        return true;
    reply_set_str(r, 554, "5.7.1", S("This server is for devices that it knows; your address is not among them"));
    return false;
}

void device_log(const struct session *s, str command, const struct reply *r)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    reply_print_line(&text, r);
    rt_log(EV_device, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_str(s->src.account),
           log_str(session_without_secrets(command)), log_str(buf_str(&text)));
}

/* ---- line ends ---- */

size_t device_feed(struct session *s, str in)
{
    size_t i = 0;
    in = str_sub(in, 0, PIECE);
    while (i < in.n && in.p[i] != '\r' && in.p[i] != '\n')
        i++;
    if (i) { /* up to the end of the line, or what is there of it */
        (void)s->sink->feed(&s->as, str_sub(in, 0, i));
        return i;
    }
    if (in.p[0] == '\r' && in.n == 1 && (conn_peek_more(s->c, &in) != OK || in.n < 2))
        return 0; /* the connection failed */
    (void)s->sink->feed(&s->as, S("\r\n"));
    return in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 1;
}
