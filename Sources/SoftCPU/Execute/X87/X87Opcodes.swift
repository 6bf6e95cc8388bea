// SPDX-License-Identifier: GPL-2.0-or-later

/// The escape opcodes D8 … DF (SDM volume 2, appendix A.5), with the aliases that processors have always had.
extension Decoder {
  /// The handler of an x87 instruction: of #UD, if there is none. The operation's `detail` must be the ModRM
  /// byte, its `immediate` the value of the last opcode register.
  static func x87Handler(opcode: UInt8, modRM: UInt8) -> Handler {
    modRM < 0xC0
      ? x87MemoryHandler(opcode: opcode & 7, modRM >> 3 & 7) : x87RegisterHandler(opcode: opcode & 7, modRM)
  }

  private static func x87MemoryHandler(opcode: UInt8, _ extension: UInt8) -> Handler {
    switch (opcode, `extension`) {
    case (0, _): X87Arithmetic.float
    case (1, 0): X87Load.float
    case (1, 2): X87Store.float
    case (1, 3): X87Store.floatPop
    case (1, 4): X87Environment.load
    case (1, 5): X87Control.loadControl
    case (1, 6): X87Environment.store
    case (1, 7): X87Control.storeControl
    case (2, _): X87Arithmetic.int32
    case (3, 0): X87Load.int32
    case (3, 1): X87Store.truncateInt32
    case (3, 2): X87Store.int32
    case (3, 3): X87Store.int32Pop
    case (3, 5): X87Load.extended
    case (3, 7): X87Store.extendedPop
    case (4, _): X87Arithmetic.double
    case (5, 0): X87Load.double
    case (5, 1): X87Store.truncateInt64
    case (5, 2): X87Store.double
    case (5, 3): X87Store.doublePop
    case (5, 4): X87Environment.restore
    case (5, 6): X87Environment.save
    case (5, 7): X87Control.storeStatus
    case (6, _): X87Arithmetic.int16
    case (7, 0): X87Load.int16
    case (7, 1): X87Store.truncateInt16
    case (7, 2): X87Store.int16
    case (7, 3): X87Store.int16Pop
    case (7, 4): X87Load.decimal
    case (7, 5): X87Load.int64
    case (7, 6): X87Store.decimalPop
    case (7, 7): X87Store.int64Pop
    default: MiscellaneousHandlers.undefined
    }
  }

  private static func x87RegisterHandler(opcode: UInt8, _ modRM: UInt8) -> Handler {
    switch (opcode, modRM >> 3 & 7) {
    case (0, 2), (4, 2): X87Compare.compare
    case (0, 3), (4, 3), (6, 2): X87Compare.comparePop
    case (0, _): X87Arithmetic.register
    case (1, 0): X87Load.register
    case (1, 1), (5, 1), (7, 1): X87Control.exchange
    case (1, 2): modRM == 0xD0 ? X87Control.noOperation : MiscellaneousHandlers.undefined
    case (1, 3): X87Store.registerPopQuietly
    case (1, _): x87Function(modRM)
    case (2, 0): X87Compare.moveIfBelow
    case (2, 1): X87Compare.moveIfEqual
    case (2, 2): X87Compare.moveIfBelowOrEqual
    case (2, 3): X87Compare.moveIfUnordered
    case (2, 5): modRM == 0xE9 ? X87Compare.unorderedPopPop : MiscellaneousHandlers.undefined
    case (3, 0): X87Compare.moveIfNotBelow
    case (3, 1): X87Compare.moveIfNotEqual
    case (3, 2): X87Compare.moveIfAbove
    case (3, 3): X87Compare.moveIfOrdered
    case (3, 4): x87ControlInstruction(modRM)
    case (3, 5): X87Compare.unorderedFlags
    case (3, 6): X87Compare.compareFlags
    case (4, _): X87Arithmetic.registerTo
    case (5, 0): X87Control.free
    case (5, 2): X87Store.register
    case (5, 3), (7, 2), (7, 3): X87Store.registerPop
    case (5, 4): X87Compare.unordered
    case (5, 5): X87Compare.unorderedPop
    case (6, 3): modRM == 0xD9 ? X87Compare.comparePopPop : MiscellaneousHandlers.undefined
    case (6, _): X87Arithmetic.registerToPop
    case (7, 0): X87Control.freeAndPop
    case (7, 4): modRM == 0xE0 ? X87Control.storeStatusInAX : MiscellaneousHandlers.undefined
    case (7, 5): X87Compare.unorderedFlagsPop
    case (7, 6): X87Compare.compareFlagsPop
    default: MiscellaneousHandlers.undefined
    }
  }

  /// D9 E0 … FF.
  private static func x87Function(_ modRM: UInt8) -> Handler {
    switch modRM {
    case 0xE0: X87Control.changeSign
    case 0xE1: X87Control.absolute
    case 0xE4: X87Compare.test
    case 0xE5: X87Compare.examine
    case 0xE8: X87Load.one
    case 0xE9: X87Load.log2Of10
    case 0xEA: X87Load.log2OfE
    case 0xEB: X87Load.pi
    case 0xEC: X87Load.log10Of2
    case 0xED: X87Load.lnOf2
    case 0xEE: X87Load.zero
    case 0xF0: X87Function.power
    case 0xF1: X87Function.logarithm
    case 0xF2: X87Function.tangent
    case 0xF3: X87Function.arcTangent
    case 0xF4: X87Function.extract
    case 0xF5: X87Function.remainderNearest
    case 0xF6: X87Control.decrementTop
    case 0xF7: X87Control.incrementTop
    case 0xF8: X87Function.remainder
    case 0xF9: X87Function.logarithmPlusOne
    case 0xFA: X87Function.squareRoot
    case 0xFB: X87Function.sineAndCosine
    case 0xFC: X87Function.round
    case 0xFD: X87Function.scale
    case 0xFE: X87Function.sine
    case 0xFF: X87Function.cosine
    default: MiscellaneousHandlers.undefined
    }
  }

  /// DB E0 … E7.
  private static func x87ControlInstruction(_ modRM: UInt8) -> Handler {
    switch modRM {
    case 0xE0, 0xE1, 0xE4: X87Control.obsolete
    case 0xE2: X87Control.clearExceptions
    case 0xE3: X87Control.initialize
    default: MiscellaneousHandlers.undefined
    }
  }
}
