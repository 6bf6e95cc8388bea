// SPDX-License-Identifier: GPL-2.0-or-later

import CLibUSB

/// A transfer by libusb, which calls back when it handles events: on the event loop with the machine's lock held.
final class LibUSBTransfer: HostUSBTransfer {
  private let device: LibUSBDevice
  private let transfer: LibUSBFunctions.Transfer

  init?(device: LibUSBDevice) {
    guard let transfer = device.functions.allocateTransfer(0) else { return nil }
    self.device = device
    self.transfer = transfer
    super.init()
  }

  deinit { device.functions.freeTransfer(transfer) }

  override func start() -> Bool {
    guard device.mayBeginTransfers else { return false }
    let message = self.message
    transfer.pointee.dev_handle = device.handle
    transfer.pointee.flags = 0
    transfer.pointee.endpoint = endpoint
    transfer.pointee.type = kind.rawValue
    // Guests have their own patience, and cancel.
    transfer.pointee.timeout = 0
    transfer.pointee.length = Int32(message.count)
    transfer.pointee.buffer = message.baseAddress?.assumingMemoryBound(to: UInt8.self)
    transfer.pointee.num_iso_packets = 0
    transfer.pointee.callback = { transfer in
      guard let transfer, let context = transfer.pointee.user_data else { return }
      Unmanaged<LibUSBTransfer>.fromOpaque(context).takeRetainedValue().ended()
    }
    // The library has it until it calls back.
    let context = Unmanaged.passRetained(self)
    transfer.pointee.user_data = context.toOpaque()
    let code = device.functions.submitTransfer(transfer)
    guard code == 0 else {
      context.release()
      if code == LIBUSB_ERROR_NO_DEVICE.rawValue { device.noteGone() }
      return false
    }
    device.transferBegan(self)
    return true
  }

  /// What cannot be cancelled has ended already, and is about to be told.
  override func stop() { _ = device.functions.cancelTransfer(transfer) }

  private func ended() {
    let result: Result =
      switch transfer.pointee.status {
      case LIBUSB_TRANSFER_COMPLETED: .success
      case LIBUSB_TRANSFER_STALL: .stall
      case LIBUSB_TRANSFER_OVERFLOW: .babble
      case LIBUSB_TRANSFER_CANCELLED: .cancelled
      case LIBUSB_TRANSFER_NO_DEVICE: .gone
      default: .error
      }
    end(result, doneCount: Int(transfer.pointee.actual_length))
    device.transferEnded(self)
  }
}
