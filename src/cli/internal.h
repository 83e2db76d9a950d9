/* Inside cli: processes of their own that may block; nothing here runs in the server. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "ctl/ctl.h"

#include <stdint.h>
#include <sysexits.h>
#include <time.h>

/* ---- shared (main.c) ---- */

int cli_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* "NAME: text" on stderr */
const char *cli_default_config(void);
/* What to do when a configuration could not be read: "" or a remedy to be put behind the reason. */
const char *cli_no_file(err e);
extern const char *cli_name; /* what messages begin with */
/* The configuration as far as it can be understood: for commands that need a path or a name of it and must work
 * for users who may not read all of its files. NULL after a message: *ret_status. */
struct conf *cli_conf(const char *file, int *ret_status);
int64_t cli_now_ms(void); /* monotonic */
/* All of a descriptor. E_LIMIT: more than out->max. E_IO. */
err cli_read_all(int fd, struct buf *out);
err cli_write_all(int fd, str s);
/* A unix stream socket connected to `path`; -1 and errno. */
int cli_connect_unix(str path);

/* ---- control.c: the client's side of the control socket ---- */

struct control {
    int fd;
    char *frame; /* CTL_FRAME_MAX octets */
};
/* E_REFUSED: no server (errno says why). E_LIMIT, E_NOMEM, E_IO. */
err control_open(struct control *c, str path, const str *words, size_t n);
/* The next frame: *ret_text valid until the next call; *ret_error for an error text. False at the end: *ret_status is
 * the exit status, -1 when the connection broke. */
bool control_next(struct control *c, str *ret_text, bool *ret_error, int *ret_status);
void control_close(struct control *c);
/* Sends the words and copies the answer to stdout and stderr; the exit status. */
int control_run(const char *conf_file, int argc, char **argv, const str *more, size_t nmore);

/* The certificates and keys of a configuration, read (certificates.c); false after errors on stderr. */
bool cli_check_certificates(const struct conf *c, const char *file);

int cli_accounts(int argc, char **argv);
int cli_config_command(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_spool(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_dmarc(int argc, char **argv);
int cli_reports(int argc, char **argv);
int cli_spf(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_dns(int argc, char **argv);
int cli_setup(int argc, char **argv);
int cli_why(int argc, char **argv);
int cli_sendmail(int argc, char **argv);

/* ---- aliases.c: /etc/aliases ---- */

struct aliases {
    struct alias_line {
        str name, targets; /* raw: comma separated */
        int line;
    } * v;
    size_t n;
};
/* Lines that cannot be understood are passed over. False without memory. */
bool aliases_parse(struct arena *a, str text, struct aliases *ret);
struct name_list {
    str *v;
    size_t n, cap;
};
bool name_list_add(struct arena *a, struct name_list *l,
                   str s); /* once each; false without memory or above the limit */
/*
 * Follows a bare name as far as it goes: addresses (and bare names without an alias) are added to `out`. A target
 * that is a program, a file or an :include: is not followed: *why says so, and false is returned.
 */
bool aliases_expand(struct arena *a, const struct aliases *all, str name, struct name_list *out, struct buf *why);

/* ---- mail.c: what sendmail does to a message ---- */

struct mail_rules {
    str origin;                  /* completes bare names */
    const struct conf_list *map; /* "from=to": addresses that are replaced; may be NULL */
    str from;                    /* value of a From field when the message has none */
};
/* LF or CRLF text to CRLF; with `dot` a line of one dot ends it; a leading mbox line is dropped. */
void mail_text(struct buf *out, str in, bool dot);
/* The addresses of To, Cc and Bcc, or of their Resent- forms when there is one. False: *why. */
bool mail_recipients(struct arena *a, str message, struct name_list *out, struct buf *why);
/* The message with a sound header block: Bcc, Return-Path and Content-Length taken out, bare names completed, From
 * added. */
err mail_header(struct arena *a, struct buf *out, str message, const struct mail_rules *r);
/* No line is longer than 998 octets and no octet is NUL (RFC 5321 4.5.3.1.6, 2.3.8). */
bool mail_carriable(str message);
/* The same message with its text in quoted-printable or base64 (RFC 2045 6), so that it is. E_UNSUPPORTED: the fault
 * lies in the header, or the parts cannot be told apart. */
err mail_convert(struct buf *out, str message);
/* One address made complete and mapped. */
str mail_address(struct arena *a, str spec, const struct mail_rules *r);
/* "Full Name <address>", quoted or encoded as needed (RFC 5322 3.4, RFC 2047). */
void mail_from_value(struct buf *out, str full_name, str address);

/* ---- dialog.c: SMTP as a client ---- */

struct mail {
    str sender;
    const str *to;
    size_t nto;
    str octets; /* CRLF */
    str envid;
    const char *ret;    /* "FULL", "HDRS" or NULL */
    const char *notify; /* "NEVER", "SUCCESS,DELAY" ... or NULL */
};
struct dialog {
    int fd;
    bool verbose;     /* the dialogue goes to stdout */
    int64_t deadline; /* cli_now_ms: of the greeting; later replies have five minutes each */
    struct buf why;   /* what went wrong, for people */
    char in[4096];
    size_t in_at, in_n;
    bool sent; /* the end of the message went out: a lost connection leaves its fate open */
    bool greeted;
};
/* Speaks the whole session. EX_OK, or a status with `why`; EX_TEMPFAIL with !greeted: ask again later. */
int dialog_run(struct dialog *d, str helo, const struct mail *m);

#endif
