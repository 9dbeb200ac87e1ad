"""Stop words of trends: words that are no terms. They may occur inside a phrase. Pure."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION = _words(
    """
    a about above across after again against ago ain all almost along already also although always
    am amid among an and another any anyone anything are aren around as at away back be became
    because become been before behind being below best better between beyond big biggest both but
    by can cannot can't could couldn did didn do does doesn don done down during each either
    else enough even ever every everyone everything far few fewer first for former forward from
    full further get gets getting give gives go goes going gone good got great had half hardly
    has hasn have haven having he her here here's hers herself him himself his how how's however
    i i'm i've if in inside instead into is isn it it's its itself just keep keeps kept know
    knows last later latest least less let let's like likely little long longer look looking
    looks lot made make makes making many may maybe me mean means might mine more most much must
    my myself near nearly need needs neither never new newest next no nobody none nor not nothing
    now nowhere of off often oh ok old on once one ones only onto or other others our ours out
    outside over own part per perhaps put quite rather re real really s same saw say says
    second see seen seems several shall she should since so some somehow someone something soon
    still such sure t take takes taking tell than thank thanks that that's the their theirs them
    themselves then there there's these they they're thing things think third this those though
    through thus to together too took toward towards try trying turn two three four five six
    seven eight nine ten under until up upon us use used uses using ve very via vs versus want
    wants was wasn way ways we we're we've well were weren what what's whatever when whenever
    where which while who who's whole whom whose why will wins with within without won won't
    would wouldn yes yet you you're you've your yours yourself
    au aux avec ce ces cette chez comme dans de des du elle en est et il ils je la le les leur
    lui mais ne nous ou où par pas pour que qui sa se ses son sont sur un une vous
    als am auch auf aus bei bis das dass dem den der des die doch durch ein eine einem einen einer
    er es für hat ich ihr im ist kann mehr mit nach nicht noch nur oder ohne sich sie sind so
    über um und unter vom von vor war was wenn werden wie wird zu zum zur
    al como con cómo del desde donde el ella entre era esta este esto fue ha hay las lo los más
    muy nos o para pero por porque qué según ser si sin sobre su sus también una uno y ya
    al che chi come con da dal dalla dei della delle di gli ha il io le nel nella non per più sono
    sul sulla tra uno
    ao aos as até com da das do dos e ela ele em entre está foi isso mais mas na nas não no nos o
    os pela pelo por que são sem ser seu sua também um uma
    aan als bij dat de deze die dit door een en er haar heb het hij hoe ik in is maar met
    naar niet nog of om ook op over te tot uit van voor wat wordt zijn
    och att det som på av är för med den till i har inte om ett var jag från eller nu han
    и в на с по для что как не из за от к о у это его она они но
    """
)

TIME = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri
    sat sun january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec day days week weeks weekend month months year
    years today tonight tomorrow yesterday daily weekly monthly yearly annual hour hours minute
    minutes second seconds morning evening night quarter q1 q2 q3 q4 h1 h2 am pm utc gmt est pst
    spring summer autumn winter time times date
    montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli
    oktober dezember lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril
    juin juillet août septembre octobre novembre décembre lunes martes miércoles jueves viernes
    sábado domingo enero febrero marzo abril junio julio agosto septiembre octubre noviembre
    diciembre
    """
)

BOILERPLATE = _words(
    """
    advertisement advertorial analysis announcement announcements archive article articles author
    blog blogs breaking brief briefing briefs bulletin bulletins changelog chapter column comment
    comments commentary click continue coverage deal deals digest download edition editorial
    email episode exclusive explained explainer faq feature featured features feed gallery
    guest guide headline headlines homepage how-to http https index info interview interviews
    introduction introducing issue item letter letters link links list live login magazine
    media more news newsletter newsletters notes open-thread opinion opinions page part photo
    photos pick picks podcast podcasts poll post posted posts press preview promo promoted quiz
    quote read reader readers reading recap release releases report reported reporter reporters
    reports republish review reviews roundup rss section series share shared sign
    special sponsor sponsored stories story subscribe subscriber subscribers subscription summary
    thread tip tips title today's top topic topics trailer transcript tutorial update updated
    updates untitled video videos view views vol volume watch webinar webinars website welcome
    whitepaper www com org net html
    """
)

PLAIN = _words(
    """
    add added adds adding aim aims allow allows amp announce announced announces announcing arrive
    arrives ask asks attempt back backs ban bans beat beats becomes begin begins behind bet bets
    bid boost boosts break breaks bring brings bringing build building builds built buy buys call
    called calls can change changes changing claim claims close closes come comes coming consider
    considers could create creates creating cut cuts day deal debut debuts deliver delivers deny
    denies develop develops discover does drive drives driving drop drops early easy end ends
    enter enters expand expands expect expected expects explore explores exploring face faces fail
    fails fall falls faster fear fears fight fights file files find finds finding fix fixes
    follow following follows force forces found free gain gains grow growing grows growth hard
    head heads help helps helping hide high higher hire hires hit hits hold holds hope hopes
    host huge idea ideas important improve improves improving inside join joins key kill kills land
    lands large largest launch launched launches launching lead leads leading learn learning-how
    leave leaves lets life line lose loses love low lower main major maker making massive match
    matter matters meet meets million billion trillion thousand hundred miss moment move moves
    moving name named names nearly number numbers offer offers offering opens order people
    company companies firm firms startup startups customer customers user users expert experts
    researcher researchers research scientist scientists study studies paper papers product
    products service services system systems technology technologies tech business industry
    app apps feature market markets government country future feedback data-driven based
    percent person plan planned planning plans play plays point points possible power powers
    prepare prepares problem problems promise promises prove push pushes question questions
    quick quickly raise raised raises raising ready reason reasons record reduce reduces reject
    rejects release released releasing remain remains remove removes replace replaces respond
    return returns reveal revealed reveals rise rises rising roll rolls run running runs rush
    save saves seek seeks sees sell sells send sends set sets setting share shares show showing
    shown shows shut sign signs simple single slow small smart smarter smash solve solves spend
    stage stand start started starting starts state stay step steps stop stops strong struggle
    struggles suggest suggests support supports surge surges switch talk talks target targets
    team teams test tested testing tests threat threaten threatens tie touch track turn
    turns unveil unveiled unveils urge urges value vow vows wait walk wants war-of warn warned
    warning warns win winning work worked working works worse worst worth write writes wrong
    """
)

ALONE = _words("ai ki ia model tool open source code data image text language game world")
"""Words that are no terms by themselves, but may start one: Model Context Protocol."""

STOP = FUNCTION | TIME | BOILERPLATE | PLAIN
"""Words that are no terms by themselves and cannot start or end a phrase."""
