# cronward on a fleet, as a recipe of Chef: recipes/default.rb of a cookbook with the static binary in files/cronward and
# an encrypted data bag item 'cronward' with the URL of Slack's webhook.
slack_url = data_bag_item('secrets', 'cronward')['slack_url']

# One file for every distribution.
cookbook_file '/usr/local/bin/cronward' do
  source 'cronward'
  owner 'root'
  group 'root'
  mode '0755'
end

directory '/etc/cronward' do
  owner 'root'
  group 'root'
  mode '0700'
end

file '/etc/cronward/slack.url' do
  content "#{slack_url}\n"
  owner 'root'
  group 'root'
  mode '0600'
  # Not in Chef's log either.
  sensitive true
end

# What all jobs of a host have in common.
file '/etc/cronward.toml' do
  content <<~TOML
    [defaults]
    sink = ["dogstatsd:", "slack:file:/etc/cronward/slack.url"]
    tag = { env = "prod" }
    owner = "ops"

    [job."pg-*"]
    severity = "critical"
    lock = true
    timeout = "4h"
  TOML
  owner 'root'
  group 'root'
  mode '0644'
end

cron_d 'pg-backup' do
  minute '30'
  hour '2'
  # cron's own has no /usr/local/bin.
  path '/usr/local/bin:/usr/bin:/bin'
  # With the time once more, so that a run which does not come is noticed.
  command "cronward -l pg-backup --schedule '30 2 * * *' -- pg-backup.sh app /backup"
end

# Looks after all jobs of the host.
cron_d 'cronward-check' do
  minute '*/10'
  path '/usr/local/bin:/usr/bin:/bin'
  command 'cronward check >/dev/null'
end
