// SPDX-License-Identifier: GPL-2.0-or-later

import CLibUSB
import EventLoop

/// A device that libusb has opened.
final class LibUSBDevice: HostUSBDevice, @unchecked Sendable {
  // Unchecked: `claimed` and `alternates` are the worker's once the device is open; the rest that changes is guarded by
  // the machine's lock.
  let facts: HostUSBFacts
  let configurations: [HostUSBConfiguration]
  let functions: LibUSBFunctions
  let handle: LibUSBFunctions.Handle
  weak var observer: (any HostUSBObserver)?
  private let loop: EventLoop
  private let worker: LibUSBWorker
  /// Called when it is closed.
  private let onClose: () -> Void
  private var inFlight: [LibUSBTransfer] = []
  private var isClosing = false
  private var isGone = false
  /// The interfaces taken from the host's drivers.
  private var claimed: [UInt8] = []
  /// The interfaces that are not at their first setting.
  private var alternates: Set<UInt8> = []

  /// An open device, none of whose interfaces are taken.
  init(
    _ facts: HostUSBFacts, configurations: [HostUSBConfiguration], handle: LibUSBFunctions.Handle,
    functions: LibUSBFunctions, loop: EventLoop, worker: LibUSBWorker, onClose: @escaping () -> Void
  ) {
    (self.facts, self.configurations, self.handle, self.functions) = (
      facts, configurations, handle, functions
    )
    (self.loop, self.worker, self.onClose) = (loop, worker, onClose)
    // Where the host's drivers cannot be detached, claiming says so.
    _ = functions.setAutoDetach(handle, 1)
  }

  /// Takes it from the host's drivers. Before anything else, and waits for them.
  /// - Returns: the library's error, or 0.
  func take() -> Int32 { claim(configuration: activeConfiguration) }

  // MARK: Transfers

  var mayBeginTransfers: Bool { !isClosing && !isGone }

  func makeTransfer() -> HostUSBTransfer? { LibUSBTransfer(device: self) }

  func transferBegan(_ transfer: LibUSBTransfer) { inFlight.append(transfer) }

  func transferEnded(_ transfer: LibUSBTransfer) {
    inFlight.removeAll { $0 === transfer }
    if isClosing { finishClosing() }
  }

  /// Whether transfers are still to come back.
  var hasTransfers: Bool { !inFlight.isEmpty }

  /// The device is not there any more. May be called from within anything.
  func noteGone() {
    guard !isGone else { return }
    isGone = true
    loop.post { [self] in observer?.hostDeviceGone() }
  }

  // MARK: What the kernel does

  func begin(_ operation: HostUSBOperation) {
    guard mayBeginTransfers else {
      loop.post { [self] in observer?.hostOperationEnded(operation, succeeded: false) }
      return
    }
    worker.perform { [self] in
      let code = perform(operation)
      loop.post { [self] in
        if code == LIBUSB_ERROR_NO_DEVICE.rawValue { noteGone() }
        observer?.hostOperationEnded(operation, succeeded: code == 0)
      }
    }
  }

  /// On the worker.
  private func perform(_ operation: HostUSBOperation) -> Int32 {
    switch operation {
    case .setConfiguration(let value): return configure(value)
    case .setInterface(let number, let alternate):
      let code = functions.setInterface(handle, Int32(number), Int32(alternate))
      if code == 0 {
        if alternate == 0 { alternates.remove(number) } else { alternates.insert(number) }
      }
      return code
    case .clearHalt(let endpoint): return functions.clearHalt(handle, endpoint)
    case .reset:
      let code = functions.resetDevice(handle)
      // It came back as another, or has to be opened anew.
      return code == LIBUSB_ERROR_NOT_FOUND.rawValue ? LIBUSB_ERROR_NO_DEVICE.rawValue : code
    }
  }

  private var activeConfiguration: UInt8 {
    var value: Int32 = 0
    guard functions.getActiveConfiguration(handle, &value) == 0 else { return 0 }
    return UInt8(truncatingIfNeeded: value)
  }

  private func configure(_ value: UInt8) -> Int32 {
    release()
    // A device with one configuration is left in it: some do not stand being configured again.
    if configurations.count != 1 || value != 0 && activeConfiguration != value {
      let code = functions.setConfiguration(handle, value == 0 ? -1 : Int32(value))
      guard code == 0 else { return code }
      alternates = []
    }
    let code = claim(configuration: value)
    guard code == 0 else { return code }
    for number in alternates { _ = functions.setInterface(handle, Int32(number), 0) }
    alternates = []
    return 0
  }

  private func claim(configuration value: UInt8) -> Int32 {
    guard let configuration = configurations.first(where: { $0.value == value }) else { return 0 }
    for number in Set(configuration.interfaces.map(\.number)).sorted() {
      let code = functions.claimInterface(handle, Int32(number))
      guard code == 0 else {
        release()
        return code
      }
      claimed.append(number)
    }
    return 0
  }

  private func release() {
    for number in claimed { _ = functions.releaseInterface(handle, Int32(number)) }
    claimed = []
  }

  // MARK: The end

  func close() {
    guard !isClosing else { return }
    isClosing = true
    observer = nil
    for transfer in inFlight {
      transfer.owner = nil
      transfer.cancel()
    }
    finishClosing()
  }

  /// Lets go of it once nothing of it is in flight. The host's drivers may take their time to have it back.
  private func finishClosing() {
    guard inFlight.isEmpty else { return }
    worker.perform { [self] in
      release()
      functions.close(handle)
    }
    onClose()
  }
}
