#!/bin/sh
# A sink for alerts and recoveries: --sink exec:/usr/local/bin/mail-alert.sh
# The event is JSON on standard input, its main fields are in the environment
# (cronward-events(5)). Exit status 0 tells cronward that the mail is on its way;
# with any other it says the alert on its own stderr, which cron mails.
set -eu
to=${ALERT_MAIL_TO:-root}

{
    printf '%s\n\n' "$CRONWARD_EVENT_HEADLINE"
    printf 'reason:   %s\n' "${CRONWARD_EVENT_REASON:-none given}"
    printf 'severity: %s\n' "$CRONWARD_EVENT_SEVERITY"
    printf 'owner:    %s\n' "${CRONWARD_EVENT_OWNER:-nobody named}"
    printf 'runbook:  %s\n' "${CRONWARD_EVENT_RUNBOOK:-none}"
    printf 'alert:    %s\n\n' "$CRONWARD_EVENT_ALERT_ID"
    cat
} | mail -s "$CRONWARD_EVENT_HEADLINE" "$to"
