// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The process on the host.
struct ProcessOptions: ParsableArguments {
  static let topic = "process"

  @Flag(
    name: option("daemonize"),
    help: "Go on in the background; return when the machine is ready or has failed.")
  var daemonize = false
  @Option(
    name: option("pidfile"), help: ArgumentHelp("Keep the process's number in this file.", valueName: "file"))
  var pidFile: String?
  @Option(
    name: option("runas"),
    help: ArgumentHelp("Become this user when everything is open.", valueName: "user or uid:gid"))
  var runAs: String?
  @Option(
    name: option("chroot"),
    help: ArgumentHelp("Make this directory the root when everything is open.", valueName: "dir"))
  var chroot: String?
  @Option(
    name: option("sandbox"),
    help: ArgumentHelp(
      "A filter of system calls: only 'off' so far; -runas and -chroot confine.", valueName: "off"))
  var sandbox: String?
  @Option(
    name: option("msg"),
    help: ArgumentHelp(
      "What messages begin with: the time, the guest's name.", valueName: "timestamp=on[,guest-name=on]"))
  var messages: [String] = []
  @Option(
    name: option("add-fd"),
    help: ArgumentHelp(
      "Put a descriptor that was passed to the process into a set, which is opened as /dev/fdset/SET.",
      valueName: "fd=,set=[,opaque=]"))
  var addDescriptors: [String] = []
}
