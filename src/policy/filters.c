/*
 * The filters in the order in which they are asked within a phase: rules of the configuration first, so that an
 * `accept` lifts what stands behind them; then what is built in, milters, scripts, scanners, and last the score.
 */
#include "policy/internal.h"
#include "policy/rules.h"
#include "policy/use.h"
#include "policy/use_script.h"

enum { ALL_PHASES = PHASE_BIT(PHASE_COUNT) - 1 };

static bool gives_points(const struct source *s, const struct conf *c)
{
    (void)s;
    (void)c;
    return true;
}

const struct filter filters[] = {
    {.name = "rules",
     .phases = ALL_PHASES,
     .may_change = true,
     .wants = rules_wants,
     .changes = rules_change,
     .points = rules_points,
     .run = rules_run},
    {.name = "client",
     .phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_HELO) | PHASE_BIT(PHASE_RCPT),
     .wants = client_wants,
     .points = gives_points,
     .run = client_run,
     .tx_end = client_tx_end,
     .session_end = client_session_end},
    {.name = "verify", .phases = PHASE_BIT(PHASE_RCPT), .wants = verify_wants, .run = verify_run},
    {.name = "script",
     .phases = ALL_PHASES,
     .may_change = true,
     .wants = use_script_wants,
     .points = gives_points,
     .run = use_script_run,
     .tx_end = use_script_tx_end,
     .session_end = use_script_session_end},
    {.name = "attachments",
     .phases = ATTACHMENTS_PHASES,
     .wants = attachments_wants,
     .points = gives_points,
     .run = attachments_run},
    {.name = "attachments",
     .phases = ATTACHMENTS_PHASES,
     .may_change = true,
     .wants = attachments_wants_aside,
     .points = gives_points,
     .run = attachments_run},
    {.name = "headers",
     .phases = PHASE_BIT(PHASE_END),
     .wants = headers_wants,
     .points = gives_points,
     .run = headers_run},
    {.name = "milter",
     .phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_HELO) | PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_RCPT) |
               PHASE_BIT(PHASE_DATA) | PHASE_BIT(PHASE_END),
     .may_change = true,
     .wants = use_milter_wants,
     .run = use_milter_run,
     .tx_end = use_milter_tx_end,
     .session_end = use_milter_session_end},
    {.name = "rspamd", .phases = PHASE_BIT(PHASE_END), .may_change = true, .wants = rspamd_wants, .run = rspamd_run},
    {.name = "clamd", .phases = PHASE_BIT(PHASE_END), .may_change = true, .wants = clamd_wants, .run = clamd_run},
    {.name = "score",
     .phases = PHASE_BIT(PHASE_END),
     .may_change = true,
     .follower = true,
     .wants = score_wants,
     .run = score_run},
    {.name = NULL},
};
_Static_assert(sizeof filters / sizeof *filters <= FILTERS_MAX + 1, "one slot a filter in every session");

/* Facts and actions of rules that engines and filters bring. */
fact_fn *const more_facts[RULE_FACTS] = {
    [RULE_FACT_REVERSE_DNS] = fact_reverse_dns,
    [RULE_FACT_CLIENT_NAME] = fact_client_name,
    [RULE_FACT_ATTACHMENT] = fact_attachment,
    [RULE_FACT_ATTACHMENT_TYPE] = fact_attachment_type,
};
act_fn *const more_acts[RULE_DOS] = {
    [RULE_DO_SCRIPT] = act_script,     [RULE_DO_LIMIT] = act_limit,   [RULE_DO_GREYLIST] = act_greylist,
    [RULE_DO_VERIFY] = act_verify,     [RULE_DO_RSPAMD] = act_rspamd, [RULE_DO_CLAMD] = act_clamd,
    [RULE_DO_MILTER] = use_milter_act,
};
in_list_fn *const rule_in_list = engine_in_list;
