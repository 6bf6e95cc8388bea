// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

/// Turns the options as given into the machine that is meant, or says what is wrong with them.
struct ConfigurationBuilder {
  var options: Martlet
  var configuration = MachineConfiguration()
  var globals = GlobalProperties()

  /// `-drive if=none` by id and `-blockdev` by node-name, until a device takes them.
  var backEnds: [String: DriveConfiguration] = [:]
  /// What `-device` called its devices.
  var deviceIDs: Set<String> = []

  /// A builder for the options as parsed.
  init(_ options: Martlet) { self.options = options }

  /// The machine.
  mutating func build() throws(OptionError) -> MachineConfiguration {
    globals = try GlobalProperties(options.machine.global)
    try configureMachine()
    try configureClock()
    try configureInstructionClock()
    try configureBoot()
    try configureDrives()
    try configureCharacters()
    try configureMonitors()
    try configureTests()
    try configureDisplay()
    try configureDevices()
    try configureNetwork()
    try configureUSB()
    try configureObjects()
    try checkBackEnds()
    try configureRun()
    try checkSandbox()
    _ = try messagePrefix()
    _ = try AddedDescriptors(options.process.addDescriptors)
    try checkDaemon()
    return configuration
  }

  /// What an option says that may be given several times, and of which the last word about each property counts; nil if it
  /// was not given.
  func merged(_ texts: [String], option: String, implied: String? = nil) throws(OptionError) -> PropertyList?
  {
    guard !texts.isEmpty else { return nil }
    var all: [(key: String, value: String)] = []
    for text in texts { all += try PropertyList(text, option: option, implied: implied).spelledOut }
    return PropertyList(all, option: option)
  }

  /// `-msg`.
  func messagePrefix() throws(OptionError) -> Log.Prefix {
    var prefix = Log.Prefix()
    guard var list = try merged(options.process.messages, option: "-msg", implied: "timestamp") else {
      return prefix
    }
    prefix.hasTime = try list.takeFlag("timestamp") ?? false
    if try list.takeFlag("guest-name") ?? false { prefix.guestName = configuration.name ?? "guest" }
    try list.finish()
    return prefix
  }

  /// A daemon has no terminal.
  private func checkDaemon() throws(OptionError) {
    guard options.process.daemonize else { return }
    let ports =
      configuration.serials.compactMap { $0 } + configuration.monitors.map(\.port)
      + configuration.debugConsoles.map(\.port) + [configuration.parallel].compactMap { $0 }
      + configuration.characterDevices.map(\.specification.label)
    if let port = ports.first(where: { $0.contains("stdio") }) {
      throw OptionError("-daemonize: a daemon has no terminal, so '\(port)' cannot be used")
    }
  }

  /// `-sandbox`.
  private func checkSandbox() throws(OptionError) {
    guard let text = options.process.sandbox else { return }
    var list = try PropertyList(text, option: "-sandbox", implied: "enable")
    let isEnabled = try list.takeFlag("enable") ?? false
    for part in ["obsolete", "elevateprivileges", "spawn", "resourcecontrol"] { _ = list.take(part) }
    try list.finish()
    guard isEnabled else { return }
    throw OptionError(
      "-sandbox \(text): there is no filter of system calls; -runas and -chroot confine the process, and so do"
        + " systemd's SystemCallFilter= and NoNewPrivileges=")
  }

  private enum Reboot: String, CaseIterable { case reset, shutdown }
  private enum Shutdown: String, CaseIterable { case poweroff, pause }

  private mutating func configureRun() throws(OptionError) {
    configuration.startsPaused = options.running.startPaused
    configuration.endsOnReset = options.running.noReboot
    configuration.pausesOnPowerOff = options.running.noShutdown
    for text in options.running.actions {
      var list = try PropertyList(text, option: "-action")
      if let action = try list.takeChoice("reboot", of: Reboot.self) {
        configuration.endsOnReset = action == .shutdown
      }
      if let action = try list.takeChoice("shutdown", of: Shutdown.self) {
        configuration.pausesOnPowerOff = action == .pause
      }
      configuration.panicAction =
        try list.takeChoice("panic", of: Machine.PanicAction.self) ?? configuration.panicAction
      // Without a watchdog there is nothing for it to do.
      _ = list.take("watchdog")
      try list.finish()
    }
    let items = options.running.debugItems?.split(separator: ",").map(String.init) ?? []
    configuration.tracedCategories = options.running.trace + items
  }
}
