// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CKVM
import CPU
import Glibc

/// `/dev/kvm`: what this host's KVM can do, and where virtual machines come from (Linux,
/// Documentation/virt/kvm/api.rst, "System ioctls").
public final class KVMSystem: Sendable {
  let descriptor: Int32
  /// The size of the area shared with the kernel for each vCPU.
  let runAreaByteCount: Int

  /// The only version of the API there is since Linux 2.6.22.
  private static let apiVersion: Int32 = 12

  /// Opens KVM.
  /// - Parameter path: the device file.
  public init(path: String = "/dev/kvm") throws(EngineError) {
    let fd = martlet_open(path, O_RDWR | O_CLOEXEC, 0)
    guard fd >= 0 else { throw Self.openError(path, code: errno) }
    descriptor = fd
    let version = ioctl(fd, martlet_KVM_GET_API_VERSION, 0)
    guard version == Self.apiVersion else {
      close(fd)
      throw EngineError(
        version < 0
          ? "\(path) is not KVM: it does not answer KVM_GET_API_VERSION"
          : "\(path) speaks version \(version) of the KVM API, and only version \(Self.apiVersion) is known; "
            + "the host needs Linux 4.18 or newer")
    }
    let size = ioctl(fd, martlet_KVM_GET_VCPU_MMAP_SIZE, 0)
    guard size >= MemoryLayout<kvm_run>.size else {
      close(fd)
      throw EngineError("KVM tells no usable size for a vCPU's run area (\(size) bytes)")
    }
    runAreaByteCount = Int(size)
  }

  deinit { close(descriptor) }

  static func openError(_ path: String, code: Int32) -> EngineError {
    switch code {
    case ENOENT:
      EngineError(
        "there is no \(path): load the module kvm_intel or kvm_amd (modprobe), and see that virtualization "
          + "(VT-x or SVM) is enabled in the host's firmware setup")
    case EACCES, EPERM:
      EngineError(
        "no permission to use \(path): add yourself to the group that owns it "
          + "(sudo usermod -aG kvm $USER) and log in again")
    case ENODEV, ENXIO:
      EngineError(
        "\(path) is there, but no KVM is behind it: load the module kvm_intel or kvm_amd, and see that "
          + "virtualization (VT-x or SVM) is enabled in the host's firmware setup")
    default:
      EngineError("cannot open \(path): \(String(cString: strerror(code)))")
    }
  }

  /// What KVM_CHECK_EXTENSION answers: 0 if the capability is not there, else 1 or a number it documents.
  public func value(of capability: Int32) -> Int {
    Int(max(0, ioctl(descriptor, martlet_KVM_CHECK_EXTENSION, capability)))
  }

  /// Refuses a KVM that lacks something the engine cannot do without.
  func require(_ capabilities: [(number: Int32, name: String)]) throws(EngineError) {
    let missing = capabilities.filter { value(of: $0.number) == 0 }.map(\.name)
    guard missing.isEmpty else {
      throw EngineError(
        "this host's KVM lacks \(missing.joined(separator: ", ")); a Linux 4.18 or newer for x86 has it")
    }
  }

  /// The CPUID leaves KVM can show a guest, with the host's values.
  func supportedCPUID() throws(EngineError) -> [kvm_cpuid_entry2] {
    var capacity = 128
    while capacity <= 4096 {
      let list = VariableLengthList<kvm_cpuid_entry2>(capacity: capacity)
      if ioctl(descriptor, martlet_KVM_GET_SUPPORTED_CPUID, list.bytes) == 0 { return list.elements }
      guard errno == E2BIG else { break }
      capacity *= 2
    }
    throw EngineError(refused: "tell the CPUID leaves it supports")
  }

  /// The numbers of the model-specific registers that make up a vCPU's state.
  func stateMSRs() throws(EngineError) -> [UInt32] {
    let list = VariableLengthList<UInt32>(capacity: 1024, headerSize: 4)
    try request(descriptor, martlet_KVM_GET_MSR_INDEX_LIST, list.bytes, "list its model-specific registers")
    return list.elements
  }

  /// The machine check capabilities KVM can show (`IA32_MCG_CAP`).
  func supportedMachineCheckCapabilities() -> UInt64 {
    var value: UInt64 = 0
    return ioctl(descriptor, martlet_KVM_X86_GET_MCE_CAP_SUPPORTED, &value) < 0 ? 0 : value
  }
}
