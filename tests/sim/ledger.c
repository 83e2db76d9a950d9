/* What was promised, and what arrived: from the clients' side, the servers' side, the mailboxes and the log. */
#include "world.h"

#include <stdio.h>

struct arrival *arrivals OWN;
size_t narrivals OWN;
static size_t arrivals_cap OWN;
struct mail **mails OWN;
size_t nmails OWN;

struct mail *ledger_mail(const char *from)
{
    mails = own_grow(mails, (nmails + 1) * sizeof *mails);
    struct mail *m = mails[nmails] = own_alloc(sizeof *m);
    m->token = (int)nmails++;
    snprintf(m->from, sizeof m->from, "%s", from);
    return m;
}
struct mail *ledger_find(int token) { return token >= 0 && (size_t)token < nmails ? mails[token] : NULL; }

struct fate_of *ledger_rcpt(struct mail *m, str address)
{
    for (int i = 0; m && i < m->nto; i++)
        if (str_ieq(str_c(m->to[i].address), address))
            return &m->to[i];
    char to[ADDR_MAX];
    str_to_c(str_sub(address, 0, ADDR_MAX - 1), to, sizeof to);
    for (int i = 0; m && i < m->nto; i++)
        if (ledger_reaches(&m->to[i], to))
            return &m->to[i];
    return NULL;
}

bool ledger_reaches(const struct fate_of *f, const char *to)
{
    return !strcasecmp(f->address, to) || onward_to(f->address, to);
}

struct log_end *log_ends OWN;
size_t nlog_ends OWN;
static size_t log_ends_cap OWN;

/* ---- reading a message --------------------------------------------------------------------------------------------
 */

static int token_of(str text)
{
    size_t at = str_search(text, S("X-Token: "));
    int n = 0;
    if (at == STR_NONE)
        return -1;
    for (at += 9; at < text.n && ascii_digit(text.p[at]); at++)
        n = n * 10 + text.p[at] - '0';
    return n;
}

static bool is_report(str text) { return str_search(str_sub(text, 0, 4000), S("multipart/report")) != STR_NONE; }

/* What follows a word, which stands behind a blank or a tab. */
static str behind(str text, str word)
{
    while (text.n) {
        size_t at = str_search(text, word);
        if (at == STR_NONE)
            break;
        bool whole = at && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t');
        text = str_skip(text, at + word.n);
        if (whole)
            return text;
    }
    return S("");
}

/* Received fields in the header, newest first: "by HOST ... id ID". */
static void read_hops(struct arrival *a, str text)
{
    size_t end = str_search(text, S("\n\r\n"));
    size_t end2 = str_search(text, S("\n\n"));
    str head = str_sub(text, 0, end < end2 ? end : end2);
    while (a->hops < HOPS) {
        str by = behind(head, S("by n")), id = behind(by, S("id "));
        if (!id.n || !rt_id_parse(str_sub(id, 0, 13), &a->hop[a->hops].id))
            break;
        a->hop[a->hops++].node = by.p[0] - '0';
        head = id;
    }
}

static struct arrival *note_arrival(struct arrival a, const char *to, str message)
{
    if (narrivals == arrivals_cap)
        arrivals = own_grow(arrivals, (arrivals_cap = arrivals_cap ? 2 * arrivals_cap : 64) * sizeof *arrivals);
    a.when = a.said = sim.now;
    snprintf(a.to, sizeof a.to, "%s", to);
    read_hops(&a, message);
    arrivals[narrivals] = a;
    return &arrivals[narrivals++];
}

/* A report: what it says about each recipient. */
static void read_report(struct mail *m, str text)
{
    for (;;) {
        size_t at = str_search(text, S("Final-Recipient:"));
        if (at == STR_NONE)
            return;
        text = str_skip(text, at);
        size_t from = str_find(text, ';'), eol = str_find(text, '\n'), action = str_search(text, S("Action: "));
        if (from == STR_NONE || eol == STR_NONE || from > eol || action == STR_NONE)
            return;
        str address = str_trim(str_sub(text, from + 1, eol));
        struct fate_of *f = ledger_rcpt(m, address);
        str word = str_sub(text, action + 8, action + 14); /* failed, delaye(d), delive(red), relaye(d) */
        if (!f) {
            violation("a report about %d names " STR_FMT, m->token, STR_ARG(address));
            return;
        }
        if (str_eq(word, S("failed")))
            f->bounced++;
        else if (str_eq(word, S("delaye")))
            f->delayed++;
        else
            f->told++;
        text = str_skip(text, action);
    }
}

void ledger_arrival(str message, const char *const *to, int nto, const struct end *end, uint64_t upto, struct node *box)
{
    int token = token_of(message);
    struct mail *m = ledger_find(token);
    bool report = is_report(message);
    trace("arrival: %s %d at %s, %d recipients", report ? "report about" : "mail", token, box ? box->name : "a server",
          nto);
    if (!m && report && str_search(message, S("delivery-status")) != STR_NONE)
        return; /* a report about a report, without the text of it: for the postmaster */
    if (!m) {
        trace(STR_FMT, STR_ARG(str_sub(message, 0, 900)));
        violation("a message arrived that nobody sent");
        return;
    }
    if (report) {
        /* one that goes to somebody else is about the report itself, which an operator returned: for the postmaster */
        if (!m->report_ended || nto == 0 || strcmp(to[0], m->from) == 0)
            read_report(m, message);
        if (end)
            note_arrival((struct arrival){.token = token, .report = true, .end = end, .upto = upto}, "", message);
        return;
    }
    if (str_search(message, S("\nthe end")) == STR_NONE)
        violation("message %d arrived without its end", token);
    for (int i = 0; i < nto; i++) {
        struct fate_of *f = ledger_rcpt(m, str_c(to[i]));
        if (!f) {
            violation("message %d arrived for %s, who was not asked for", token, to[i]);
            continue;
        }
        struct arrival *a = note_arrival(
            (struct arrival){.token = token, .end = end, .upto = upto, .node = box ? box->index : 0}, to[i], message);
        edge_hops(m, a);
        if (!a->hops && !m->outside)
            violation("message %d arrived for %s without saying by whom", token, to[i]);
        rules_arrival(m, a, message);
        onward_arrival(m, f, a);
        f->delivered++;
    }
}

void ledger_said(const struct end *end)
{
    for (size_t i = narrivals; i > 0 && arrivals[i - 1].when >= sim.now - 60 * RT_S; i--)
        if (end && arrivals[i - 1].end == end && arrivals[i - 1].upto > end->sent)
            arrivals[i - 1].said = sim.now;
}

/* ---- the log
 * ------------------------------------------------------------------------------------------------------------ */

static str field(str line, str name)
{
    for (;;) {
        size_t at = str_search(line, name);
        if (at == STR_NONE)
            return S("");
        bool whole = at && line.p[at - 1] == ' ';
        line = str_skip(line, at + name.n);
        if (whole)
            break;
    }
    size_t end = str_find(line, ' ');
    return str_sub(line, 0, end == STR_NONE ? line.n : end);
}

static void read_redirect(const struct node *n, str line)
{
    uint64_t id, anew;
    if (rt_id_parse(field(line, S("id=")), &id) && rt_id_parse(field(line, S("anew=")), &anew))
        onward_line(n, id, field(line, S("to=")), field(line, S("into=")), anew);
}

void ledger_line(struct node *n, str line)
{
    static const char *const ends[LOG_ENDS] = {"delivered", "bounced", "expired", "removed"};
    trace("%s| " STR_FMT, n->name, STR_ARG(line));
    str rest = line, word;
    for (int i = 0; i < 3; i++)
        if (!str_cut(&rest, ' ', &word))
            return;
    if (str_eq(word, S("bug")))
        violation("%s says: " STR_FMT, n->name, STR_ARG(line));
    uint64_t id;
    bool gone = str_eq(word, S("discarded"));
    if (str_eq(word, S("redirected")))
        read_redirect(n, line);
    if (str_eq(word, S("released")) && rt_id_parse(field(line, S("id=")), &id))
        rules_released(n, id);
    if (gone || (str_eq(word, S("delivered")) && str_search(line, S("2.0.0 discarded by")) != STR_NONE))
        rules_gone(n, rt_id_parse(field(line, S("id=")), &id) ? id : 0, field(line, S("from=")), field(line, S("to=")));
    for (int i = 0; i < LOG_ENDS; i++) {
        n->lines[i] += str_eq(word, str_c(ends[i]));
        if (!str_eq(word, str_c(ends[i])) || !rt_id_parse(field(line, S("id=")), &id))
            continue;
        if (nlog_ends == log_ends_cap)
            log_ends = own_grow(log_ends, (log_ends_cap = log_ends_cap ? 2 * log_ends_cap : 64) * sizeof *log_ends);
        struct log_end *e = &log_ends[nlog_ends++];
        *e = (struct log_end){.node = n->index, .id = id};
        str_to_c(field(line, S("to=")), e->to, ADDR_MAX);
    }
}

/* An operator ends all recipients of a message somewhere on its way, or a report about it. */
void ledger_ended(str message, bool bounce)
{
    bool report = is_report(message);
    struct mail *m = ledger_find(token_of(message));
    if (m && report)
        m->report_ended = true;
    for (int i = 0; m && !report && !bounce && i < m->nto; i++)
        m->to[i].removed = true;
}
