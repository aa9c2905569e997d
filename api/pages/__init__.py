"""The public pages: plain HTML from one snapshot of the log, in Chinese and English.

    routes → registers | entries | whereabouts | kinds | endpoints
           → directory → format, texts
           → page (templates, language, assets) → HTML

A route opens one snapshot, asks a module of this package for what the page shows, and
renders a template with it; so everything on one page is of one size of the log. No page
needs JavaScript, none asks another host for anything, and none ever sees a sealed value:
the pages read entries, not the vault.

Texts for people stand in ``texts/*.toml``, both languages side by side.
"""
