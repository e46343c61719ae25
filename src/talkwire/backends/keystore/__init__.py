"""Where wrapped keys lie: a store of its own, never part of a data backup. `port` says what an adapter promises."""
