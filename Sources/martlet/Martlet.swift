// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

@main
struct Martlet: ParsableCommand {
  mutating func run() throws {}
}
