// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser
import CHost
import CharacterDevice
import Control
import EventLoop
import Glibc
import Machine
import OptionSyntax

/// The process: arguments in, exit status out. 0: a clean end; 1: the request could not be met; 2: wrong
/// usage.
@main
enum Main {
  static func main() {
    StandardDescriptors.ensureOpen()
    // Host threads are made with these blocked; the event loop takes them one by one.
    Machine.blockSignals()
    // What was passed to this process is not passed to its child.
    _ = PassedSockets.current
    exit(run(Array(CommandLine.arguments.dropFirst())))
  }

  private static func run(_ arguments: [String]) -> Int32 {
    do {
      if let answer = try answer(to: arguments) {
        print(answer, terminator: "")
        return 0
      }
      if expectsViewers(arguments) { Machine.loadDisplayAhead() }
      let arguments = try ConfigurationFile.expanding(arguments)
      var builder = ConfigurationBuilder(try parse(arguments))
      let configuration = try builder.build()
      if let path = builder.options.running.writeConfiguration {
        try HostFile.write(try ConfigurationFile.text(arguments), to: path, option: "-writeconfig")
      }
      if builder.options.running.printConfig {
        print(configuration.description, terminator: "")
        return 0
      }
      let process = builder.options.process
      try AddedDescriptors(process.addDescriptors).take()
      let privileges = try Privileges(root: process.chroot, user: process.runAs)
      let logFile = builder.options.running.logFile
      let prefix = try builder.messagePrefix()
      // The first thread's name is the process's.
      if let name = configuration.processName { _ = martlet_setname(name) }
      func goOn(_ daemon: Daemon?) -> Int32 {
        let supervisor = ServiceManager()
        let log: Log
        do { log = try Log(file: logFile, prefix: prefix) } catch { return refuse(error) }
        return launch(configuration, arguments: arguments, log: log, supervisor: supervisor) {
          () throws(OptionError) in
          let pidFile = if let path = process.pidFile { try PIDFile(path) } else { PIDFile?.none }
          try privileges.drop()
          daemon?.becomeReady()
          supervisor.tellReady(name: configuration.name)
          return pidFile
        }
      }
      return process.daemonize ? try Daemon.run(goOn) : goOn(nil)
    } catch {
      return refuse(error)
    }
  }

  /// Says what is wrong with the options.
  private static func refuse(_ error: any Error) -> Int32 {
    Log.standardError("martlet: \(error)\n")
    return 2
  }

  /// Whether there will be viewers, as far as a glance at the options tells: what they need takes as long to load as all
  /// else takes to start. A process that forks must have no other threads yet.
  private static func expectsViewers(_ arguments: [String]) -> Bool {
    for (index, argument) in arguments.enumerated() where argument.hasPrefix("-") {
      switch argument.drop(while: { $0 == "-" }) {
      case "nographic", "daemonize", "readconfig", "print-config": return false
      case "vnc", "display": if index + 1 < arguments.count, arguments[index + 1] == "none" { return false }
      default: continue
      }
    }
    return true
  }

  /// - Parameter settle: called when everything is open and before the guest runs.
  private static func launch(
    _ configuration: MachineConfiguration, arguments: [String], log: Log, supervisor: ServiceManager,
    settle: () throws(OptionError) -> PIDFile?
  ) -> Int32 {
    do {
      try claimHost(configuration)
      let machine = try Machine(configuration, log: log)
      machine.optionsText = { (try? ConfigurationFile.text(arguments)) ?? "" }
      machine.knownOptions = { OptionValues.properties }
      let monitors = try Monitors(machine: machine)
      let tests = try QTestServer(machine: machine)
      let pidFile: PIDFile?
      do throws(OptionError) {
        pidFile = try settle()
      } catch {
        machine.abandon()
        throw error
      }
      let end = withExtendedLifetime((monitors, tests)) { machine.run() }
      pidFile?.remove()
      supervisor.tellStopping()
      if let message = end.message { log.message("martlet: \(message)") }
      return end.status
    } catch {
      log.message("martlet: \(error)")
      // Whoever ends the process while it waits for somebody gets what ends it later, too.
      return Machine.isEndingPending ? 0 : 1
    }
  }

  /// What the whole process is to have: its place in memory.
  private static func claimHost(_ configuration: MachineConfiguration) throws(HostError) {
    guard !configuration.isMemoryLocked || mlockall(MCL_CURRENT | MCL_FUTURE) == 0 else {
      throw HostError("-overcommit mem-lock=on: cannot lock the memory (see 'ulimit -l')")
    }
  }

  /// The answer to options that ask rather than start something.
  private static func answer(to arguments: [String]) throws(OptionError) -> String? {
    for (index, argument) in arguments.enumerated() {
      let next = index + 1 < arguments.count ? arguments[index + 1] : nil
      let name = argument.hasPrefix("--") ? String(argument.dropFirst()) : argument
      switch (name, next) {
      case ("-help", _), ("-h", _), ("-?", _): return try Help.message(topic: next)
      case ("-generate", "man"): return Manual.text
      case ("-generate", "bash"): return ShellCompletion.bash
      case ("-generate", "zsh"): return ShellCompletion.zsh
      case ("-generate", "fish"): return ShellCompletion.fish
      case ("-version", _): return "Martlet \(MachineConfiguration.version)\n"
      case ("-device", "help"), ("-device", "?"): return DeviceCatalog.help
      case ("-device", let text?) where text.hasSuffix(",help") || text.hasSuffix(",?"):
        let name = String(text.prefix { $0 != "," })
        return DeviceCatalog.help(for: try DeviceCatalog.driver(name, option: "-device"))
      case ("-M", "help"), ("-machine", "help"), ("-M", "?"), ("-machine", "?"):
        return ConfigurationBuilder.machineHelp
      case ("-M", let text?), ("-machine", let text?):
        if ["help", "?"].contains(text.split(separator: ",").last) {
          return ConfigurationBuilder.machinePropertyHelp
        }
      case ("-accel", "help"): return "kvm\nsoft\nqtest\nauto\n"
      case ("-vga", "help"): return "std   VGA with Bochs VBE (default)\nnone\n"
      case ("-chardev", "help"): return ConfigurationBuilder.characterDeviceHelp
      case ("-cpu", "help"), ("-cpu", "?"): return Machine.cpuHelp
      case ("-trace", "help"), ("-d", "help"): return Machine.traceHelp
      default: continue
      }
    }
    return nil
  }

  private static func parse(_ arguments: [String]) throws(OptionError) -> Martlet {
    do {
      return try Martlet.parse(arguments)
    } catch {
      // A value may begin with a dash.
      if let options = try? Martlet.parse(OptionTable.joined(try OptionTable.split(arguments))) {
        return options
      }
      let known = Help.optionNames
      // "-hdaa" would be read as -h with more letters behind it.
      if let unknown = arguments.first(where: { $0.count > 1 && $0.hasPrefix("-") && !known.contains($0) }) {
        throw OptionError(
          "there is no option '\(unknown)'\(didYouMean(unknown, in: known.filter { !$0.hasPrefix("--") })); '-help' lists the options"
        )
      }
      let text = Martlet.message(for: error)
      throw OptionError(
        "\(text.split(separator: "\n").first.map(String.init) ?? text); '-help' lists the options")
    }
  }
}
