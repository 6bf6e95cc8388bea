// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CHost
import CPU
import Chipset
import Glibc
import GuestMemory
import KVM
import QTestEngine
import SoftCPU

/// The engine of a machine: the one that was asked for, or the one that suits the host.
struct EngineChoice {
  let engine: any Engine
  /// What people should know, a line each.
  let notices: [String]
  private let kvm: KVMEngine?
  private let soft: SoftEngine?
  /// The interrupt controllers, if the engine has none of its own.
  let platform: PCInterruptPlatform?

  init(_ configuration: MachineConfiguration, bus: SystemBus, clock: Clock) throws(EngineError) {
    var notices: [String] = []
    var candidates = configuration.accelerators
    if candidates.isEmpty {
      if let reason = Self.reasonAgainstKVM {
        candidates = [.soft]
        notices.append("the guest runs on the soft engine: \(reason) ('-accel kvm' uses KVM all the same)")
      } else {
        candidates = [.kvm]
      }
    }
    var failure: EngineError?
    for candidate in candidates {
      do throws(EngineError) {
        switch candidate {
        case .kvm:
          let kvm = try KVMEngine(bus: bus, topology: configuration.topology, cpu: configuration.cpu)
          (engine, self.kvm, soft, platform) = (kvm, kvm, nil, nil)
          notices += kvm.warnings
        case .soft:
          let topology = configuration.topology
          let platform = Self.makePlatform(topology, clock: clock)
          let soft = try SoftEngine(
            bus: bus, topology: topology, cpu: configuration.cpu, platform: platform, clock: clock)
          (engine, kvm, self.soft, self.platform) = (soft, nil, soft, platform)
          notices += soft.warnings
        case .qtest:
          // Its time is another clock's: it is chosen before the machine is made, or not at all.
          guard clock is SteppedClock else { continue }
          let platform = Self.makePlatform(configuration.topology, clock: clock)
          engine = QTestEngine(bus: bus, topology: configuration.topology, platform: platform)
          (kvm, soft, self.platform) = (nil, nil, platform)
        }
        if let failure { notices.append("the guest runs on the \(engine.name) engine: \(failure)") }
        self.notices = notices
        return
      } catch {
        failure = error
      }
    }
    throw failure ?? EngineError("no engine was asked for")
  }

  private static func makePlatform(_ topology: CPUTopology, clock: Clock) -> PCInterruptPlatform {
    PCInterruptPlatform(clock: clock, apicIDs: (0..<topology.count).map { topology.apicID(of: $0) })
  }

  /// Whether the first engine of the list that works here is the one for tests.
  static func isQTest(_ accelerators: [Accelerator]) -> Bool {
    for accelerator in accelerators {
      switch accelerator {
      case .qtest: return true
      case .soft: return false
      case .kvm: if canOpenKVM { return false }
      }
    }
    return false
  }

  /// The board's ports and memory are wired: what the engine's own chips have goes there, too.
  func portsAreWired(_ ports: PortSpace, memory: MemorySpace) {
    kvm?.coalescePortWrites()
    platform?.map(ports: ports, memory: memory)
  }

  /// See ``SoftEngine/settleDevices(by:)``.
  func settleDevices(by body: @escaping () -> Void) { soft?.settleDevices(by: body) }

  /// Leaves the reason in `errno`.
  private static var canOpenKVM: Bool {
    let descriptor = martlet_open("/dev/kvm", O_RDWR | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  /// Why KVM does not suit this host; nil if it does.
  private static var reasonAgainstKVM: String? {
    guard canOpenKVM else { return "/dev/kvm: \(String(cString: strerror(errno)))" }
    return hasVirtualization ? nil : "the processor shows neither vmx nor svm, so KVM would be slow"
  }

  /// Whether /proc/cpuinfo lists vmx or svm among the first processor's flags.
  private static var hasVirtualization: Bool {
    guard let file = fopen("/proc/cpuinfo", "re") else { return false }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0 {
      guard let line, strncmp(line, "flags", 5) == 0 else { continue }
      return String(cString: line).split(whereSeparator: \.isWhitespace).contains {
        $0 == "vmx" || $0 == "svm"
      }
    }
    return false
  }
}
