"""The command line: `talkwire serve`, `talkwire doctor`, and one file per noun for administrators.

Words: a *noun* is a group of admin commands (`account`, `user`, `skill` …); the *demo* is a brand with its
people that `serve --demo` makes, so that existing clients have something to talk to.
"""
