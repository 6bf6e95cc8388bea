// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The test protocol: the guest's part played from outside.
struct TestOptions: ParsableArguments {
  static let topic = "test"

  @Option(
    name: option("qtest"),
    help: ArgumentHelp(
      "QEMU's test protocol on a port as of -serial; with -accel qtest no CPU runs and time is stepped.",
      valueName: "port"))
  var qtest: String?
  @Option(
    name: option("qtest-log"),
    help: ArgumentHelp(
      "Where what is said in the test protocol is written: a file, or none (standard error).",
      valueName: "file"))
  var qtestLog: String?
}
