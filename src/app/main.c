/* postrider: one program, several names and commands. What each command does is in its room. */
#include "app/app.h"
#include "cli/cli.h"
#include "reports/reports.h"
#include "script/script.h"

#include <stdio.h>

static int serve(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    if (!file || argc > 1) {
        fprintf(stderr, "usage: postrider serve -c FILE\n");
        return 64;
    }
    return app_serve(file);
}

static int upgrade(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    if (!file || argc > 1) {
        fprintf(stderr, "usage: postrider upgrade -c FILE\n");
        return 64;
    }
    return upgrade_command(file);
}

static err is_lua(str name, str text, int *ret_line, struct buf *why)
{
    return script_syntax(&(struct script_file){name, text}, ret_line, why);
}

int main(int argc, char **argv)
{
    static const struct cli_command own[] = {
        {"serve", serve, "-c FILE", "run the server in the foreground, log to stderr"},
        {"upgrade", upgrade, "-c FILE",
         "let this version take over from the one that runs: same process, ports and queue"}};
    conf_script_checker(is_lua);
    cli_reports_here(reports_answer_here);
    return cli_main(argc, argv, own, sizeof own / sizeof *own);
}
