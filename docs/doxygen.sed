# What doxygen is shown of a comment in libsds.h, line by line: functions get the (),
# constants the #, and sections the @ref by which it links them. The types, which it
# links as they are, stand in the last line.
/^ *(\*|\/\*\*)/ {
    s/\bSds[A-Z][A-Za-z]*/&()/g
    s/\b(SDS_(OK|ERR|KIND|EVENT|VERSION|ABI_VERSION)[A-Z_]*|RET_[A-Z_]+)\b/#\1/g
    s/\b([Ss]ee) (Callbacks|Configuration|Contexts|Errors|Persistence)\b/\1 @ref \L\2\E "\2"/g
    s/\b(Sds(CallBack|Call|Dependency|EventHandler|EventType|Event|HistoryRecord|Kind|LogHandler|Options|Persistence|RetrievalHintProvider|Status|Unwrapped))\(\)/\1/g
}
