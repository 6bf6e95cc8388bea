// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-m -smp -cpu -accel -M -name -uuid -mem-path -mem-prealloc`.
  mutating func configureMachine() throws(OptionError) {
    let machine = options.machine
    try configureName()
    if let uuid = machine.uuid {
      guard isUUID(uuid) else {
        throw OptionError("-uuid: '\(uuid)' is not of the form 8-4-4-4-12 hexadecimal digits")
      }
      configuration.uuid = uuid
    }
    try configureMemory()
    try configureTopology()
    try configureCPU()
    try configureMachineType()
    try checkAudio()
  }

  /// `-name`.
  private mutating func configureName() throws(OptionError) {
    guard var list = try merged(options.machine.name, option: "-name", implied: "guest") else { return }
    configuration.name = list.take("guest")
    configuration.processName = list.take("process")
    // Threads always have names.
    _ = try list.takeFlag("debug-threads")
    try list.finish()
  }

  /// `-audiodev`.
  private func checkAudio() throws(OptionError) {
    for text in options.machine.audioDevices {
      var list = try PropertyList(anySpelling: text, option: "-audiodev", implied: "driver")
      try list.takeFixed("driver", ["none"], because: "there is no sound")
      _ = list.take("id")
      _ = try list.takeInteger("timer-period", in: 0...Int.max)
      _ = list.takeAll(prefix: "in.")
      _ = list.takeAll(prefix: "out.")
      try list.finish()
    }
  }

  private mutating func configureMemory() throws(OptionError) {
    let machine = options.machine
    if var list = try merged(machine.m, option: "-m", implied: "size") {
      let size = list.take("size") ?? ""
      try list.finish()
      guard let bytes = parseSize(size, unit: 1 << 20), bytes >= 1 << 20, bytes <= 1 << 46 else {
        throw OptionError(
          "-m \(size): give at least 1 MiB: a number of MiB, or with a suffix, like 512M or 4G")
      }
      // Whole MiB, as the memory controller's rows are.
      configuration.memoryByteCount = (bytes + (1 << 20) - 1) & ~((1 << 20) - 1)
    }
    if let path = machine.memPath {
      guard path.contains("huge") else {
        throw OptionError("-mem-path \(path): only huge pages are supported (/dev/hugepages)")
      }
      configuration.memoryBacking.usesHugePages = true
      configuration.memoryBacking.isShared = true
    }
    if var list = try merged(machine.overcommit, option: "-overcommit") {
      configuration.isMemoryLocked = try list.takeFlag("mem-lock") ?? false
      try list.takeFixed("cpu-pm", ["off"], because: "the host keeps the power management of its CPUs")
      try list.finish()
    }
    if machine.memShared { configuration.memoryBacking.isShared = true }
    if machine.memPrealloc { configuration.memoryBacking.isPreallocated = true }
  }

  private mutating func configureTopology() throws(OptionError) {
    guard var list = try merged(options.machine.smp, option: "-smp", implied: "cpus") else { return }
    let text = options.machine.smp.joined(separator: ",")
    let range = 1...Machine.maximumCPUCount
    let count = try list.takeInteger("cpus", in: range)
    let sockets = try list.takeInteger("sockets", in: range)
    let cores = try list.takeInteger("cores", in: range)
    let threads = try list.takeInteger("threads", in: range)
    _ = try list.takeInteger("maxcpus", in: range)
    try list.finish()
    let known = (sockets ?? 1) * (cores ?? 1) * (threads ?? 1)
    let total = count ?? known
    guard total % known == 0, total <= Machine.maximumCPUCount else {
      throw OptionError(
        "-smp \(text): \(total) CPUs cannot be arranged as \(sockets ?? 1) sockets × \(cores ?? 1) cores × \(threads ?? 1) threads"
      )
    }
    // What was not given takes up the rest: sockets first, as QEMU's pc does.
    var topology = CPUTopology(sockets: sockets ?? 1, cores: cores ?? 1, threads: threads ?? 1)
    let rest = total / known
    if sockets == nil {
      topology.sockets = rest
    } else if cores == nil {
      topology.cores = rest
    } else if threads == nil {
      topology.threads = rest
    } else if rest != 1 {
      throw OptionError("-smp \(text): sockets × cores × threads is \(known), not \(total)")
    }
    configuration.topology = topology
  }

  private mutating func configureCPU() throws(OptionError) {
    guard let text = options.machine.cpu else { return }
    var parts = text.split(separator: ",", omittingEmptySubsequences: true).map(String.init)
    guard !parts.isEmpty else { throw OptionError("-cpu: name a model, e.g. 'max'; '-cpu help' lists them") }
    configuration.cpu = CPUModelRequest(model: parts.removeFirst())
    for part in parts {
      if part.hasPrefix("+") {
        configuration.cpu.added.append(String(part.dropFirst()))
      } else if part.hasPrefix("-") {
        configuration.cpu.removed.append(String(part.dropFirst()))
      } else if [
        "migratable=on", "migratable=off", "migratable=yes", "migratable=no", "check", "enforce", "check=on",
        "enforce=on",
      ].contains(part) {
        // A machine never moves to another host, and a feature that is asked for and missing is always an error.
      } else if part.hasSuffix("=on") {
        configuration.cpu.added.append(String(part.dropLast(3)))
      } else if part.hasSuffix("=off") {
        configuration.cpu.removed.append(String(part.dropLast(4)))
      } else {
        throw OptionError("-cpu: '\(part)' must be +feature, -feature, feature=on or feature=off")
      }
    }
  }

  private func isUUID(_ text: String) -> Bool {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    return groups.map(\.count) == [8, 4, 4, 4, 12] && groups.allSatisfy { $0.allSatisfy(\.isHexDigit) }
  }
}
