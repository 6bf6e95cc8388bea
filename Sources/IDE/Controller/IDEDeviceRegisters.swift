// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// What every device on an IDE channel keeps across save and restore.
struct IDEDeviceRegisters: Codable, Equatable, Sendable {
  var taskFile: TaskFile
  var status: UInt8
  var position: Int
  var end: Int
  var isToHost: Bool
  var wantsDMA: Bool
  var isInterruptPending: Bool
  /// A request was in flight.
  var isWaiting: Bool
  /// The bytes of the buffer in use.
  var buffer: [UInt8]
}

extension IDEDevice {
  /// Whether the buffer's bytes still go somewhere.
  private var isBufferInUse: Bool {
    status.contains(.dataRequest) || wantsDMA || request.isInFlight || mustReissue
  }

  func saveRegisters() -> IDEDeviceRegisters {
    IDEDeviceRegisters(
      taskFile: taskFile, status: status.rawValue, position: pio.position, end: pio.end,
      isToHost: pio.isToHost,
      wantsDMA: wantsDMA, isInterruptPending: isInterruptPending,
      isWaiting: request.isInFlight || mustReissue,
      buffer: Array(buffer.prefix(isBufferInUse ? buffer.count : 0)))
  }

  func restoreRegisters(_ state: IDEDeviceRegisters) throws(RestoreError) {
    guard state.buffer.count <= buffer.count, state.end >= 0, state.end <= buffer.count, state.position >= 0,
      state.position <= state.end
    else { throw RestoreError("\(drive.name): the state's buffer is not that of an IDE device") }
    // Busy and asking for data exclude each other; the one without a request, the other with one.
    let status = ATAStatus(rawValue: state.status)
    guard !state.isWaiting || status.contains(.busy) && !status.contains(.dataRequest) && !state.wantsDMA
    else { throw RestoreError("\(drive.name): the state has a request and no device that waits for it") }
    abandonRequest()
    taskFile = state.taskFile
    self.status = status
    pio = PIO(position: state.position, end: state.end, isToHost: state.isToHost)
    wantsDMA = state.wantsDMA
    isInterruptPending = state.isInterruptPending
    mustReissue = state.isWaiting
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    buffer.copyBytes(from: state.buffer)
  }
}
