// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-m -smp -cpu -accel -M -name -uuid -mem-path -mem-prealloc`.
  mutating func configureMachine() throws(OptionError) {
    let machine = options.machine
    configuration.name = machine.name
    if let uuid = machine.uuid {
      guard isUUID(uuid) else {
        throw OptionError("-uuid: '\(uuid)' is not of the form 8-4-4-4-12 hexadecimal digits")
      }
      configuration.uuid = uuid
    }
    try configureMemory()
    try configureTopology()
    try configureCPU()
    try configureAccelerator()
  }

  private mutating func configureMemory() throws(OptionError) {
    let machine = options.machine
    if let text = machine.m {
      var list = try PropertyList(text, option: "-m", implied: "size")
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
    if machine.memShared { configuration.memoryBacking.isShared = true }
    if machine.memPrealloc { configuration.memoryBacking.isPreallocated = true }
  }

  private mutating func configureTopology() throws(OptionError) {
    guard let text = options.machine.smp else { return }
    var list = try PropertyList(text, option: "-smp", implied: "cpus")
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
      } else if part.hasSuffix("=on") {
        configuration.cpu.added.append(String(part.dropLast(3)))
      } else if part.hasSuffix("=off") {
        configuration.cpu.removed.append(String(part.dropLast(4)))
      } else {
        throw OptionError("-cpu: '\(part)' must be +feature, -feature, feature=on or feature=off")
      }
    }
  }

  private mutating func configureAccelerator() throws(OptionError) {
    var names = options.machine.accel
    if let text = options.machine.machine {
      var list = try PropertyList(text, option: "-M", implied: "type")
      let type = list.take("type") ?? "pc"
      guard type == "pc" || type.hasPrefix("pc-i440fx") else {
        throw OptionError("-M \(type): there is no such machine; 'pc' (i440FX and PIIX3) is what there is")
      }
      if let name = list.take("accel") { names.insert(name, at: 0) }
      try list.finish()
    }
    // "kvm:tcg" asks for the first that works; "tcg" is what QEMU calls its engine in software.
    for part in names.flatMap({ $0.split(separator: ":") }).map(String.init) where part != "auto" {
      guard let accelerator = Accelerator(rawValue: part == "tcg" ? "soft" : part) else {
        throw OptionError(
          "-accel \(part): there is no such engine\(didYouMean(part, in: Accelerator.allCases.map(\.rawValue))); "
            + "known: kvm, soft, qtest, auto")
      }
      configuration.accelerators.append(accelerator)
    }
  }

  private func isUUID(_ text: String) -> Bool {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    return groups.map(\.count) == [8, 4, 4, 4, 12] && groups.allSatisfy { $0.allSatisfy(\.isHexDigit) }
  }
}
